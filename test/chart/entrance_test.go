package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// TestRedirectToHTTPS checks that a new Gateway object redirects HTTP, and that only the HTTPS listener of the object
// routes to nginx.
func TestRedirectToHTTPS(t *testing.T) {
	s := load(t, parse(t, `entrance: {kind: gateway, class: c, host: a.example, tlsSecret: tls, tlsRedirect: true,
		annotations: {cert-manager.io/cluster-issuer: letsencrypt}}`))
	s.check(t)
	gw := of[*gateway.Gateway](s, "Gateway")["checkout"]
	listeners := map[string]gateway.Listener{}
	for _, l := range gw.Spec.Listeners {
		listeners[string(l.Name)] = l
		if l.Hostname == nil || *l.Hostname != "a.example" {
			t.Errorf("listener %s: got the host %v, want a.example", l.Name, l.Hostname)
		}
	}
	if len(listeners) != 2 || listeners["https"].Port != 443 || listeners["http"].Port != 80 ||
		listeners["http"].TLS != nil || gw.Annotations["cert-manager.io/cluster-issuer"] != "letsencrypt" {
		t.Errorf("Gateway: got %+v, want https on 443, http without TLS on 80, and the annotation for cert-manager", gw)
	}
	routes := of[*gateway.HTTPRoute](s, "HTTPRoute")
	for name, section := range map[string]string{"checkout": "https", "checkout-redirect": "http"} {
		parent := routes[name].Spec.ParentRefs[0]
		if parent.Name != "checkout" || parent.SectionName == nil || string(*parent.SectionName) != section {
			t.Errorf("HTTPRoute %s: parent %+v, want section %s", name, parent, section)
		}
	}
	rule := routes["checkout-redirect"].Spec.Rules[0]
	if len(rule.BackendRefs) > 0 || *rule.Filters[0].RequestRedirect.Scheme != "https" {
		t.Errorf("redirect: got %+v, want only a redirect to https", rule)
	}
}

// TestParentGateway checks the route to an existing Gateway.
func TestParentGateway(t *testing.T) {
	s := load(t, parse(t, `entrance: {kind: gateway, parent: shared, parentNamespace: infra, parentSection: web,
		annotations: {a: b}}`))
	route := of[*gateway.HTTPRoute](s, "HTTPRoute")["checkout"]
	parent := route.Spec.ParentRefs[0]
	if parent.Name != "shared" || *parent.Namespace != "infra" || *parent.SectionName != "web" ||
		route.Annotations["a"] != "b" || len(s.objects["Gateway"]) > 0 {
		t.Errorf("HTTPRoute: got %+v, want only a route with the parent infra/shared, section web", route)
	}
}

// TestAnnotationsOfTheEntrance checks which objects get the annotations.
func TestAnnotationsOfTheEntrance(t *testing.T) {
	for values, want := range map[string]map[string]string{ // annotations of the Service
		"{entrance: {annotations: {a: b}}, gateway: {service: {annotations: {c: d}}}}":                {"a": "b", "c": "d"},
		"{entrance: {kind: ingress, annotations: {a: b}}, gateway: {service: {annotations: {c: d}}}}": {"c": "d"},
		"entrance: {kind: none}": nil,
	} {
		s := load(t, parse(t, values))
		if got := of[*core.Service](s, "Service")["gateway"].Annotations; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: annotations of the Service: %v, want %v", values, got, want)
		}
		if ingress := of[*networking.Ingress](s, "Ingress")["ingress-service"]; ingress != nil &&
			!reflect.DeepEqual(ingress.Annotations, map[string]string{"a": "b"}) {
			t.Errorf("%s: got the annotations %v of the Ingress, want a: b", values, ingress.Annotations)
		}
	}
}

// TestTrustedProxies checks that the gateway trusts X-Forwarded-For only from the networks in trustedProxies.
func TestTrustedProxies(t *testing.T) {
	config := func(values string) string {
		return of[*core.ConfigMap](load(t, parse(t, values)), "ConfigMap")["gateway"].Data["listen.conf"]
	}
	got := config("entrance: {trustedProxies: [10.0.0.0/8, 'fd00::/8']}")
	for _, line := range []string{"set_real_ip_from 10.0.0.0/8;", "set_real_ip_from fd00::/8;",
		"real_ip_header X-Forwarded-For;", "real_ip_recursive on;"} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("listen.conf lacks %s:\n%s", line, got)
		}
	}
	if got := config("{}"); strings.Contains(got, "real_ip") {
		t.Errorf("without trusted proxies, listen.conf contains real_ip:\n%s", got)
	}
}

// TestServiceLabels checks that only the Services of a component get the labels and annotations of the component.
func TestServiceLabels(t *testing.T) {
	for component, want := range map[string][]string{
		"machine": {"order-1", "payment-1", "stock-1"}, "gateway": {"gateway"},
		"redis": {"order-redis", "order-redis-0", "payment-redis", "payment-redis-0", "stock-redis", "stock-redis-0"},
	} {
		rendered, err := render(root, parse(t, component+": {service: {labels: {team: mine}, annotations: {note: b}}}"))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for name, service := range of[*core.Service](parseSystem(t, rendered), "Service") {
			if service.Labels["team"] == "mine" && service.Annotations["note"] == "b" {
				got = append(got, name)
			}
		}
		all := 0
		for _, text := range rendered {
			all += strings.Count(text, "team: mine")
		}
		if slices.Sort(got); !slices.Equal(got, want) || all != len(want) {
			t.Errorf("%s.service: got the label on %d objects, label and annotation on the Services %v; want only %v",
				component, all, got, want)
		}
	}
}
