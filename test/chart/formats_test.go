package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestFormats checks which formats the chart refuses. Without the chart's checks, Kubernetes or nginx would refuse a
// wrong value only after Helm has changed some objects.
func TestFormats(t *testing.T) {
	const external = "redis: {external: {order: ['%s'], stock: ['b:1'], payment: ['c:1']}}"
	const hostname = "entrance: {kind: ingress, host: '%s'}"
	const ipBlock = "networkPolicy: {metricsFrom: [{ipBlock: {cidr: '%s'}}]}"
	const except = "networkPolicy: {metricsFrom: [{ipBlock: {cidr: '10.0.0.0/8', except: ['%s']}}]}"
	networks := []string{"0.0.0.0/0", "10.0.0.0/8", "35.191.0.0/16", "255.255.255.254/32", "::/0", "fd00::/8",
		"2001:db8:1:2:3:4:5:6/128", "1:2:3:4:5:6::/112", "::1/128", "2600:2D00:1:b029::/64"}
	noNetworks := []string{"10.0.0.0/80", "10.0.0.0/33", "10.0.0.0/08", "35.191.0.0.0/16", "35.191.0/16", "256.0.0.0/8",
		"10.00.0.0/8", "10/8", "fd00::/129", "fd00/8", "1::2::3/64", "1:2:3:4:5:6:7:8:9/64", "1:2:3:4:5:6:7/64",
		"1:2:3:4:5:6:7::/64", "12345::/64", ":1:2:3:4:5:6:7/64", ":::/64", "/64"}
	for values, c := range map[string]struct{ accepted, refused []string }{
		"entrance: {trustedProxies: ['%s']}": {networks, noNetworks},
		ipBlock:                              {networks, noNetworks},
		except:                               {nil, noNetworks},
		external: {
			[]string{"a:65535", "[fd00::1]:6379"},
			[]string{"a:65536", "a:99999", "a:06379", "a:1+b:65536+c:1"},
		},
		"observability: {traces: '%s'}": {
			[]string{"http://a:65535/", "https://a.b-c:1", "http://[fd00::1]:4318"},
			[]string{"http://a:65536", "http://a:99999/", "http://a:0", "http://a b:1", "http://a?b:1", "http://a"},
		},
		"access: {corsOrigins: ['%s']}": {
			[]string{"https://a:65535", "https://a99999", "http://10.0.0.1"},
			[]string{"https://a:65536", "https://a:99999", "https://a:0443", "https://a:0"},
		},
		hostname: {
			[]string{"a-b.example", "*.b.example", "1.example"},
			[]string{"-a.example", "a-.example", "10.0.0.1", strings.Repeat("a", 64), strings.Repeat("a.", 126) + "ab"},
		},
		"backup: {schedule: '%s'}": {
			[]string{"0 3 * * *", "*/5 0-23/2 1,15 JAN-jun mon-Fri", "59 23 31 12 6", "00 09 08 07 00", "? ? * ? *", "@daily",
				"@midnight"},
			[]string{"0 24 * * *", "60 * * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 7",
				"*/0 * * * *", "5-1 * * * *", "* * * * fri-mon", "* * * dec-jan *", "* * * mon *", "jan * * * *", ", * * * *",
				"1, * * * *", "1-2-3 * * * *", "@nightly", "@Daily"},
		},
	} {
		for _, value := range c.accepted {
			if _, err := render(root, parse(t, fmt.Sprintf(values, value))); err != nil {
				t.Errorf("render with "+values+": got the error %v, want none", value, err)
			}
		}
		for _, value := range c.refused {
			if _, err := render(root, parse(t, fmt.Sprintf(values, value))); err == nil {
				t.Errorf("render with "+values+": got no error, want one", value)
			}
		}
	}
}
