package env

import (
	"net/url"
	"strings"
)

// traces reads the variables of the OpenTelemetry exporter. The OpenTelemetry SDK itself reads the
// variables for sampling and names.
func (p *parser) traces() Traces {
	base, exact := p.getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), p.getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	p.choice("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
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

func (p *parser) collector(name, value string) string {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		p.reject(name, "the value is not of the form http://host:port")
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
		if !ok || err != nil || key == "" || strings.ContainsAny(key, " \t\r\n:") || strings.ContainsAny(value, "\r\n") {
			p.reject(name, "header %d is not of the form name=value", i+1)
			continue
		}
		all[key] = value
	}
	return all
}
