package main

import (
	"fmt"
	"slices"
	"testing"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// world is whoever is no pod of this system.
const world = "world"

// allowed are all ways that the policies may open: from, to, port.
var allowed = map[[2]string][]int{
	{world, "gateway"}:           {8000},
	{"checkout-test", "gateway"}: {8000},
	{"gateway", "order"}:         {5000}, {"gateway", "stock"}: {5000}, {"gateway", "payment"}: {5000},
	{"order", "stock"}: {5001}, {"order", "payment"}: {5001}, {"payment", "order"}: {5001},
	{"order", "order-redis"}: {6379}, {"stock", "stock-redis"}: {6379}, {"payment", "payment-redis"}: {6379},
}

// checkReach goes from everything to everything: as a cluster that enforces policies would decide, exactly what is allowed is open.
func (s *system) checkReach(t *testing.T) {
	t.Helper()
	for _, wrong := range s.wrongWays() {
		t.Error(wrong)
	}
}

func (s *system) wrongWays() (found []string) {
	templates, _ := s.pods()
	labels := map[string]map[string]string{world: nil}
	for name, template := range templates {
		labels[name] = template.Labels
	}
	delete(templates, "checkout-test") // listens nowhere
	for from := range labels {
		for to := range templates {
			for _, port := range []int{5000, 5001, 6379, 8000} {
				want := slices.Contains(allowed[[2]string{from, to}], port)
				got := (from == world || s.leaves(labels[from], labels[to], port)) && s.enters(labels[from], labels[to], port)
				if from != to && got != want {
					found = append(found, fmt.Sprintf("from %s to port %d of %s: open: %v, want %v", from, port, to, got, want))
				}
			}
		}
	}
	return found
}

func (s *system) policies(labels map[string]string, direction networking.PolicyType) []*networking.NetworkPolicy {
	var found []*networking.NetworkPolicy
	for _, p := range of[*networking.NetworkPolicy](s, "NetworkPolicy") {
		if matches(p.Spec.PodSelector, labels) && slices.Contains(p.Spec.PolicyTypes, direction) {
			found = append(found, p)
		}
	}
	return found
}

func (s *system) enters(from, to map[string]string, port int) bool {
	policies := s.policies(to, networking.PolicyTypeIngress)
	for _, p := range policies {
		for _, rule := range p.Spec.Ingress {
			if opens(rule.Ports, port) && reaches(rule.From, from) {
				return true
			}
		}
	}
	return len(policies) == 0
}

func (s *system) leaves(from, to map[string]string, port int) bool {
	policies := s.policies(from, networking.PolicyTypeEgress)
	for _, p := range policies {
		for _, rule := range p.Spec.Egress {
			if opens(rule.Ports, port) && reaches(rule.To, to) {
				return true
			}
		}
	}
	return len(policies) == 0
}

func opens(ports []networking.NetworkPolicyPort, port int) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networking.NetworkPolicyPort) bool { return p.Port.IntValue() == port })
}

func reaches(peers []networking.NetworkPolicyPeer, labels map[string]string) bool {
	return len(peers) == 0 || labels != nil && slices.ContainsFunc(peers, func(p networking.NetworkPolicyPeer) bool {
		return p.PodSelector != nil && p.NamespaceSelector == nil && matches(*p.PodSelector, labels)
	})
}

func matches(selector meta.LabelSelector, labels map[string]string) bool {
	for name, value := range selector.MatchLabels {
		if labels[name] != value {
			return false
		}
	}
	return labels != nil
}

// TestPoliciesCanFail: a policy that is missing, or opens too much, is noticed.
func TestPoliciesCanFail(t *testing.T) {
	for name, spoil := range map[string]func(map[string]*networking.NetworkPolicy){
		"a Redis without a policy": func(p map[string]*networking.NetworkPolicy) {
			p["stock-redis"].Spec.PodSelector.MatchLabels = map[string]string{"none": "none"}
		},
		"an internal door for everybody": func(p map[string]*networking.NetworkPolicy) { p["stock"].Spec.Ingress[1].From = nil },
		"a gateway that may go everywhere": func(p map[string]*networking.NetworkPolicy) {
			p["gateway"].Spec.Egress[1].Ports = nil
			p["order"].Spec.Ingress[0].Ports = nil
		},
		"a Redis shut": func(p map[string]*networking.NetworkPolicy) { p["stock-redis"].Spec.Ingress = nil },
	} {
		s := load(t, nil)
		spoil(of[*networking.NetworkPolicy](s, "NetworkPolicy"))
		if len(s.wrongWays()) == 0 {
			t.Errorf("%s: not noticed", name)
		}
	}
}
