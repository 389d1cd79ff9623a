package env

import (
	"reflect"
	"strings"
	"testing"
)

func getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestParseReadsEveryVariable(t *testing.T) {
	c, err := Parse(getenv(map[string]string{
		"REDIS_ADDRS": "a:6379,b:6380", "REDIS_PASSWORD": "pwd", "REDIS_DB": "4", "REDIS_TLS": "1",
		"MACHINE_ID": "2/3", "PORT": "80", "WDM_DEBUG": "1", "BATCH_INIT": "0", "LOG_FORMAT": "json",
		"STOCK_SERVICE_URL":           "http://stock:5001/",
		"PAYMENT_SERVICE_URL":         "http://p1:5001,http://p2:5002/",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318/",
		"OTEL_EXPORTER_OTLP_HEADERS":  "a=b%20c, d=e=f",
	}), Stock, Payment)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Instance: 2, Instances: 3,
		Redis: Redis{Addrs: []string{"a:6379", "b:6380"}, Password: "pwd", DB: 4, TLS: true},
		Port:  80, InternalPort: 5001,
		Debug: true, Console: true, LogJSON: true,
		Traces: Traces{
			URL:     "http://jaeger:4318/v1/traces",
			Headers: map[string]string{"a": "b c", "d": "e=f"},
		},
		StockPeers:   []string{"stock:5001"},
		PaymentPeers: []string{"p1:5001", "p2:5002"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestParseUsesDefaults(t *testing.T) {
	c, err := Parse(getenv(map[string]string{"REDIS_ADDRS": "a:1", "MACHINE_ID": "1/1"}))
	if err != nil || c.Port != 5000 || c.InternalPort != 5001 || !c.BatchInit || c.Debug || c.Redis.DB != 0 || c.LogJSON ||
		c.Traces.URL != "" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestParseReportsAllErrorsTogether(t *testing.T) {
	_, err := Parse(getenv(map[string]string{
		"MACHINE_ID": "4/3", "REDIS_DB": "-1", "PORT": "x", "WDM_DEBUG": "yes", "GIN_MODE": "fast",
		"ORDER_SERVICE_URL": "order:5001",
	}), Order, Stock)
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{
		"REDIS_ADDRS", "MACHINE_ID", "REDIS_DB", "PORT", "WDM_DEBUG", "ORDER_SERVICE_URL", "STOCK_SERVICE_URL", "GIN_MODE",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+name+": ") {
			t.Errorf("the error does not name %s:\n%v", name, err)
		}
	}
}

func TestParseRejectsInvalidValues(t *testing.T) {
	valid := map[string]string{"REDIS_ADDRS": "a:1", "MACHINE_ID": "1/1", "ORDER_SERVICE_URL": "http://o:1/"}
	for name, values := range map[string][]string{
		"MACHINE_ID":  {"0/1", "1", "1/0", "/", "1/1/1", "a/b", "-1/2", "2/1"},
		"REDIS_ADDRS": {"a", "a:1,", ",a:1", "a:1, b:1", "a:0", "a:99999", "a:1,a:1", "http://a:1"},
		"ORDER_SERVICE_URL": {
			"o:1", "https://o:1/", "http://o/", "http://o:1/x", "http://u:p@o:1/", "http://o:1/?q", "http://o:1,",
		},
		"PORT":       {"-1", "65536", "5001"},
		"BIND":       {"localhost", "x"},
		"REDIS_TLS":  {"true"},
		"LOG_FORMAT": {"JSON", "xml"},

		"OTEL_EXPORTER_OTLP_ENDPOINT":        {"jaeger:4318", "ftp://j", "http://", "http://u:p@j:1"},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": {"jaeger"},
		"OTEL_EXPORTER_OTLP_HEADERS":         {"a", "=b", "a=b,c", "a b=c", "a=%zz", "a=%0d%0ab"},
		"OTEL_EXPORTER_OTLP_PROTOCOL":        {"grpc", "http/json"},
		"OTEL_SDK_DISABLED":                  {"1"},
	} {
		for _, value := range values {
			vars := map[string]string{name: value}
			for k, v := range valid {
				if k != name {
					vars[k] = v
				}
			}
			if _, err := Parse(getenv(vars), Order); err == nil {
				t.Errorf("%s=%q was accepted", name, value)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1/1", "a:1", "http://a:1/")
	f.Fuzz(func(t *testing.T, instance, addrs, url string) {
		vars := map[string]string{"MACHINE_ID": instance, "REDIS_ADDRS": addrs, "ORDER_SERVICE_URL": url}
		c, err := Parse(getenv(vars), Order)
		if err == nil && (c.Instance < 1 || c.Instance > c.Instances || len(c.Redis.Addrs) == 0 || len(c.OrderPeers) == 0) {
			t.Errorf("accepted %q %q %q as %+v", instance, addrs, url, c)
		}
	})
}

func TestCollectorURL(t *testing.T) {
	for _, c := range []struct {
		base, exact, disabled, want string
	}{
		{"", "", "", ""},
		{"http://j:4318", "", "", "http://j:4318/v1/traces"},
		{"https://j:4318/x/", "", "", "https://j:4318/x/v1/traces"},
		{"", "http://j:4318/t", "", "http://j:4318/t"},
		{"http://a", "http://j:4318/t", "false", "http://j:4318/t"},
		{"http://a", "http://j:4318/t", "true", ""},
	} {
		got, err := Parse(getenv(map[string]string{
			"REDIS_ADDRS": "a:1", "MACHINE_ID": "1/1",
			"OTEL_EXPORTER_OTLP_ENDPOINT":        c.base,
			"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.exact,
			"OTEL_SDK_DISABLED":                  c.disabled,
		}))
		if err != nil || got.Traces.URL != c.want {
			t.Errorf("%+v: %q, %v", c, got.Traces.URL, err)
		}
	}
}

func TestErrorsDoNotContainHeaderValues(t *testing.T) {
	_, err := Parse(getenv(map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "token=hush%zz"}))
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}
