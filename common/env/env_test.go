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
		"REDIS_DURABLE": "unchecked", "SYSTEM_NAME": "shop-2", "IDEMPOTENCY_KEY_LIMIT": "88",
		"MACHINE_ID": "2/3", "PORT": "80", "WDM_DEBUG": "1", "BATCH_INIT": "0", "BATCH_LIMIT": "77", "LOG_FORMAT": "json",
		"REDIS_DISK": "10Gi", "LISTS": "0",
		"METRICS_PORT": "5003", "ALLOWED_HOSTS": "Shop.example,*.b.example,*", "CLIENT_TRACES": "1",
		"CORS_ORIGINS":                "https://shop.example,http://localhost:3000",
		"INTERNAL_TOKEN":              "0123456789abcdef,,fedcba9876543210",
		"STOCK_SERVICE_URL":           "http://stock:5001/",
		"PAYMENT_SERVICE_URL":         "http://p1:5001,http://p2:5002/",
		"DEMO_URL":                    "http://127.0.0.1:4000",
		"DEMO_TOKEN":                  "0123456789abcdef",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318/",
		"OTEL_EXPORTER_OTLP_HEADERS":  "a=b%20c, d=e=f, g=h+i%2B",
	}), Stock, Payment)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Instance: 2, Instances: 3,
		Redis: Redis{System: "shop-2", Addrs: []string{"a:6379", "b:6380"}, Password: "pwd", DB: 4, TLS: true,
			Durable: Unchecked, Disk: 10 << 30, KeyLimit: 88, CallerWait: callerWait},
		Port: 80, InternalPort: 5001, MetricsPort: 5003,
		Access: Access{
			Hosts:   []string{"shop.example", "*.b.example", "*"},
			Origins: []string{"https://shop.example", "http://localhost:3000"},
			Tokens:  []string{"0123456789abcdef", "", "fedcba9876543210"}, ClientTraces: true,
		},
		Debug: true, BatchLimit: 77, Console: true, LogJSON: true,
		Demo: Demo{URL: "http://127.0.0.1:4000", Token: "0123456789abcdef"},
		Traces: Traces{
			URL:     "http://jaeger:4318/v1/traces",
			Headers: map[string]string{"a": "b c", "d": "e=f", "g": "h+i+"},
		},
		StockPeers:   []string{"stock:5001"},
		PaymentPeers: []string{"p1:5001", "p2:5002"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("Parse: got %+v, want %+v", c, want)
	}
}

func TestParseUsesDefaults(t *testing.T) {
	c, err := Parse(getenv(map[string]string{"REDIS_ADDRS": "a:1", "MACHINE_ID": "1/1"}))
	if err != nil || c.Port != 5000 || c.InternalPort != 5001 || c.MetricsPort != 5002 || !c.BatchInit ||
		c.BatchLimit != 1_000_000 || c.Redis.KeyLimit != 1_000_000 || c.Debug || !c.Lists || c.Redis.DB != 0 || c.LogJSON ||
		c.Traces.URL != "" || c.Redis.Durable != DurableAlways {
		t.Errorf("Parse without optional variables: got %+v, %v; want the defaults", c, err)
	}
}

// The default of LISTS is the value of CONSOLE, because lists show IDs and a read-only console must not show any.
func TestReadOnlyConsoleDisablesLists(t *testing.T) {
	for _, c := range []struct {
		console, lists string
		want           bool
	}{{"", "", true}, {"1", "", true}, {"1", "0", false}, {"0", "", false}, {"0", "1", true}} {
		got, err := Parse(getenv(map[string]string{
			"REDIS_ADDRS": "a:1", "MACHINE_ID": "1/1", "CONSOLE": c.console, "LISTS": c.lists,
		}))
		if err != nil || got.Lists != c.want {
			t.Errorf("CONSOLE=%q, LISTS=%q: got Lists %v, %v; want %v", c.console, c.lists, got.Lists, err, c.want)
		}
	}
}

func TestParseReportsAllErrorsTogether(t *testing.T) {
	_, err := Parse(getenv(map[string]string{
		"MACHINE_ID": "4/3", "REDIS_DB": "-1", "SYSTEM_NAME": "a b", "PORT": "x", "WDM_DEBUG": "yes", "GIN_MODE": "fast",
		"ORDER_SERVICE_URL": "order:5001",
	}), Order, Stock)
	if err == nil {
		t.Fatal("Parse of invalid variables: got no error, want one")
	}
	for _, name := range []string{
		"REDIS_ADDRS", "MACHINE_ID", "REDIS_DB", "SYSTEM_NAME", "PORT", "WDM_DEBUG",
		"ORDER_SERVICE_URL", "STOCK_SERVICE_URL", "GIN_MODE",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+name+": ") {
			t.Errorf("the error does not name %s:\n%v", name, err)
		}
	}
}

func TestParseRejectsInvalidValues(t *testing.T) {
	valid := map[string]string{"REDIS_ADDRS": "a:1", "MACHINE_ID": "1/1", "ORDER_SERVICE_URL": "http://o:1/"}
	for name, values := range map[string][]string{
		"MACHINE_ID": {"0/1", "1", "1/0", "/", "1/1/1", "a/b", "-1/2", "2/1", "1/65537"},
		"REDIS_ADDRS": {
			"a", "a:1,", ",a:1", "a:1, b:1", "a:0", "a:99999", "a:1,a:1", "http://a:1",
			"a\n:1", "a\x00:1", "a\x7f:1", "a\u00a0:1", "a:+1", "a:01", "a:1,A:1", "a:1+b:1+A:1",
			"a:1+b:1", "a:1+b:1+a:1", "a:1+b:1+c:1+d:1", "a:1+b:1+c:1,b:1", "a:1+b+c:1", "a:1++c:1", "a:1+b:1+",
		},
		"ORDER_SERVICE_URL": {
			"o:1", "https://o:1/", "http://o/", "http://o:1/x", "http://u:p@o:1/", "http://o:1/?q", "http://o:1,",
		},
		"PORT": {"-1", "65536", "5001"},
		"BIND": {"localhost", "x"},

		"METRICS_PORT":  {"-1", "65536", "5000", "5001"},
		"ALLOWED_HOSTS": {"shop.example:80", "http://shop.example", "a,,b", "*.", "a.*", "**", "a b", ".a", "a/"},
		"CORS_ORIGINS": {
			"*", "null", "shop.example", "https://shop.example/", "https://Shop.example", "https://u@shop.example", "https://",
			"https://*.example", "https://shop.example:443", "http://shop.example:80", "ftp://shop.example", "https://a,",
			"https://a https://b", "https://a?b", "https://a:", `https://a";`,
			"https://a:0443", "https://a:99999", "https://a:0", "https://a:65536", "http://[::1]:3000",
		},
		"INTERNAL_TOKEN": {
			"short", ",", "0123456789abcde", "0123456789abcdef,short", "0123456789 abcdef", "0123456789abcdefé",
		},
		"CLIENT_TRACES": {"yes"},
		"CONSOLE":       {"demo", "yes"}, // `make up` replaces CONSOLE=demo by CONSOLE=1 and DEMO_URL
		"DEMO_URL": { // the first value is valid, but DEMO_TOKEN is missing
			"http://127.0.0.1:4000", "http://192.0.2.1:4000", "http://localhost:4000", "http://127.0.0.1:4000/",
			"https://127.0.0.1:4000", "http://127.0.0.1:4000; script-src *",
		},
		"DEMO_TOKEN": {"0123456789abcdef", "short"}, // the first value is valid, but DEMO_URL is missing

		"REDIS_TLS":  {"true"},
		"LOG_FORMAT": {"JSON", "xml"},
		"REDIS_DISK": {"0", "-1Gi", "10 Gi", "ten", "Gi", "1.5Gi", "10GiB", "9999999999Ti"},

		"REDIS_DURABLE": {"1", "everysec", "Always", "engines"},

		"OTEL_EXPORTER_OTLP_ENDPOINT": {
			"jaeger:4318", "ftp://j", "http://", "http://u:p@j:1", "http://j:1?x=1", "http://j:1#x", "http://j:1?",
		},
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": {"jaeger", "http://j:1/v1/traces?x=1"},
		"OTEL_EXPORTER_OTLP_HEADERS": {
			"a", "=b", "a=b,c", "a b=c", "a=%zz", "a=%0d%0ab", "a=%00", "a=%7f", "a\x01=b",
		},
		"OTEL_EXPORTER_OTLP_PROTOCOL": {"grpc", "http/json"},
		"OTEL_SDK_DISABLED":           {"1"},
	} {
		for _, value := range values {
			vars := map[string]string{name: value}
			for k, v := range valid {
				if k != name {
					vars[k] = v
				}
			}
			if _, err := Parse(getenv(vars), Order); err == nil {
				t.Errorf("Parse with %s=%q: got no error, want one", name, value)
			} else if name == "INTERNAL_TOKEN" && strings.Contains(err.Error(), "0123456789") {
				t.Errorf("the error contains a token: %v", err)
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
			t.Errorf("MACHINE_ID %q, REDIS_ADDRS %q, ORDER_SERVICE_URL %q: got %+v, want an error", instance, addrs, url, c)
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
			t.Errorf("%+v: got the URL %q, %v; want %q", c, got.Traces.URL, err, c.want)
		}
	}
}

func TestErrorsDoNotContainHeaderValues(t *testing.T) {
	_, err := Parse(getenv(map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "token=hush%zz"}))
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("Parse of an invalid header: got %v, want an error without the value", err)
	}
}

// With REDIS_DURABLE=engine, Parse rejects a shard with three nodes, and a database other than 0.
func TestEngine(t *testing.T) {
	for _, c := range []struct{ addrs, db, want string }{
		{"a:1,b:1", "", ""},
		{"a:1,b:1", "0", ""},
		{"a:1,b:1+c:1+d:1", "", `REDIS_DURABLE: engine and the nodes "b:1+c:1+d:1" contradict each other`},
		{"a:1", "3", "REDIS_DB: 3: with REDIS_DURABLE=engine, the number must be 0"},
	} {
		got, err := Parse(getenv(map[string]string{
			"REDIS_ADDRS": c.addrs, "REDIS_DB": c.db, "MACHINE_ID": "1/1", "REDIS_DURABLE": "engine",
		}))
		if c.want == "" && (err != nil || got.Redis.Durable != Engine) ||
			c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: got REDIS_DURABLE %q and the error %v", c, got.Redis.Durable, err)
		}
	}
}
