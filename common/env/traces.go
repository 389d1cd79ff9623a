package env

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Traces configures the export of spans. The zero value disables it.
type Traces struct {
	URL     string            // the complete URL of an OTLP collector
	Headers map[string]string // sent with each request
}

// traces reads the variables of the OpenTelemetry exporter. The OpenTelemetry SDK reads the variables for sampling
// itself, so traces only validates them.
func (p *parser) traces() Traces {
	base, exact := p.getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), p.getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	p.choice("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	p.sampler("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG")
	t := Traces{URL: p.collector("OTEL_EXPORTER_OTLP_ENDPOINT", base), Headers: p.headers("OTEL_EXPORTER_OTLP_HEADERS")}
	if t.URL != "" {
		t.URL = strings.TrimSuffix(t.URL, "/") + "/v1/traces"
	}
	if exact != "" {
		t.URL = p.collector("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", exact)
	}
	if p.choice("OTEL_SDK_DISABLED", "false", "true") == "true" {
		return Traces{}
	}
	return t
}

// samplers are the samplers of the OpenTelemetry SDK. The value is true if the sampler has a ratio.
var samplers = map[string]bool{
	"always_on": false, "always_off": false, "traceidratio": true,
	"parentbased_always_on": false, "parentbased_always_off": false, "parentbased_traceidratio": true,
}

// sampler rejects values that the SDK does not know. With such values, the SDK would trace every request.
func (p *parser) sampler(name, ratioName string) {
	s, arg := p.getenv(name), strings.TrimSpace(p.getenv(ratioName))
	sampler := strings.ToLower(strings.TrimSpace(s))
	hasRatio, known := samplers[sampler]
	if !known && sampler != "" {
		p.reject(name, "%q is not one of %s", s, strings.Join(slices.Sorted(maps.Keys(samplers)), ", "))
	}
	if !hasRatio || arg == "" {
		return
	}
	if ratio, err := strconv.ParseFloat(arg, 64); err != nil || !(ratio >= 0 && ratio <= 1) { // NaN is invalid too
		p.reject(ratioName, "%q is not a number from 0 to 1, such as 0.01", arg)
	}
}

func (p *parser) collector(name, value string) string {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.ContainsAny(value, "?#") {
		p.reject(name, "the value is not of the form http://host:port or http://host:port/path")
		return ""
	}
	return value
}

// headers parses a variable of the form "name=value,name=value", with URL-encoded values. The error messages contain no
// values, because values may be secret.
func (p *parser) headers(name string) map[string]string {
	s := p.getenv(name)
	if s == "" {
		return nil
	}
	all := map[string]string{}
	for i, pair := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		key = strings.TrimSpace(key)
		if !ok || err != nil || key == "" || strings.ContainsAny(key, " :") ||
			strings.ContainsFunc(key+value, unicode.IsControl) {
			p.reject(name, "header %d is not of the form name=value", i+1)
			continue
		}
		all[key] = value
	}
	return all
}
