package env

import (
	"strings"
	"testing"
)

// TestSampler checks that Parse accepts only what the OpenTelemetry SDK understands. For all other values, the SDK
// would trace every request.
func TestSampler(t *testing.T) {
	for _, c := range []struct{ sampler, ratio, want string }{
		{"", "", ""},
		{"always_on", "", ""},
		{"always_off", "1%", ""}, // the SDK ignores the ratio
		{"traceidratio", "0.01", ""},
		{" TraceIDRatio ", " 1e-2 ", ""},
		{"parentbased_traceidratio", "0", ""},
		{"parentbased_traceidratio", "", ""},
		{"parentbased_always_off", "", ""},
		{"traceidratios", "", "OTEL_TRACES_SAMPLER: \"traceidratios\" is not one of always_off, always_on, parentbased_"},
		{"ratio", "2", "OTEL_TRACES_SAMPLER: "},
		{"jaeger_remote", "", "OTEL_TRACES_SAMPLER: "},
		{"traceidratio", "0,01", `OTEL_TRACES_SAMPLER_ARG: "0,01" is not a number from 0 to 1`},
		{"traceidratio", "1%", "OTEL_TRACES_SAMPLER_ARG: "},
		{"traceidratio", "1.01", "OTEL_TRACES_SAMPLER_ARG: "},
		{"parentbased_traceidratio", "-0.1", "OTEL_TRACES_SAMPLER_ARG: "},
		{"parentbased_traceidratio", "NaN", "OTEL_TRACES_SAMPLER_ARG: "},
	} {
		_, err := Parse(getenv(map[string]string{
			"REDIS_ADDRS": "a:1", "MACHINE_ID": "1/1", "OTEL_TRACES_SAMPLER": c.sampler, "OTEL_TRACES_SAMPLER_ARG": c.ratio,
		}))
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("sampler %q with %q: got the error %v, want %q", c.sampler, c.ratio, err, c.want)
		}
	}
}
