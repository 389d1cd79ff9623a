package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// outside stands for any client that is not a pod of this system.
const outside = "outside"

// allowedPorts are the ports that the network policies must open, by source and destination. See system.allowed for
// the ports of replicated shards and Jobs.
var allowedPorts = map[[2]string][]int{
	{outside, "gateway"}:         {8000},
	{"checkout-test", "gateway"}: {8000},
	{"gateway", "order"}:         {5000}, {"gateway", "stock"}: {5000}, {"gateway", "payment"}: {5000},
	{"order", "stock"}: {5001}, {"order", "payment"}: {5001}, {"payment", "order"}: {5001},
	{"order", "order-redis"}: {6379}, {"stock", "stock-redis"}: {6379}, {"payment", "payment-redis"}: {6379},
}

// allowed returns the ports that the network policies must open between two components. In a replicated shard, the
// nodes may reach each other's Redis and keeper. The service may reach only the Redis. The Job that initializes the
// shard may reach only the keepers.
func (s *system) allowed(from, to string) []int {
	templates, _ := s.pods()
	if shard := templates[to]; len(shard.Spec.InitContainers) > 0 { // only a replicated shard has an init container
		service, _, _ := strings.Cut(to, "-")
		return map[string][]int{to: {6379, 7000}, service: {6379}, to + "-init": {7000}}[from]
	}
	if to == "gateway" && templates[from].Spec.RestartPolicy == core.RestartPolicyOnFailure {
		return []int{8000} // no policy restricts a Job, and the gateway accepts every client
	}
	return allowedPorts[[2]string{from, to}]
}

// checkReach checks that the network policies open exactly the ports of system.allowed.
func (s *system) checkReach(t *testing.T) {
	t.Helper()
	for _, violation := range s.violations() {
		t.Error(violation)
	}
}

// violations compares the network policies with system.allowed, for every source, destination and port. It ignores
// extra open ports from a component to itself.
func (s *system) violations() (violations []string) {
	templates, _ := s.pods()
	labels := map[string]map[string]string{outside: nil}
	for name, template := range templates {
		if s.runsOnce(name) {
			labels[name] = template.Labels
		} else {
			labels[component(template)] = template.Labels
		}
	}
	for from := range labels {
		for to := range labels {
			if _, workload := templates[to]; to == outside || workload && s.runsOnce(to) {
				continue // this destination has no ports
			}
			for _, port := range []int{5000, 5001, 5002, 6379, 7000, 7001, 8000} {
				want := slices.Contains(s.allowed(from, to), port)
				got := (from == outside || s.allowsEgress(labels[from], labels[to], port)) &&
					s.allowsIngress(labels[from], labels[to], port)
				if (from != to || want) && got != want {
					violations = append(violations,
						fmt.Sprintf("connect from %s to port %d of %s: allowed %v, want %v", from, port, to, got, want))
				}
			}
		}
	}
	return violations
}

// policies returns the network policies that select pods with these labels and restrict this direction.
func (s *system) policies(labels map[string]string, direction networking.PolicyType) []*networking.NetworkPolicy {
	var policies []*networking.NetworkPolicy
	for _, p := range of[*networking.NetworkPolicy](s, "NetworkPolicy") {
		if matches(p.Spec.PodSelector, labels) && slices.Contains(p.Spec.PolicyTypes, direction) {
			policies = append(policies, p)
		}
	}
	return policies
}

func (s *system) allowsIngress(from, to map[string]string, port int) bool {
	policies := s.policies(to, networking.PolicyTypeIngress)
	for _, p := range policies {
		for _, rule := range p.Spec.Ingress {
			if allowsPort(rule.Ports, port) && matchesPeer(rule.From, from) {
				return true
			}
		}
	}
	return len(policies) == 0
}

func (s *system) allowsEgress(from, to map[string]string, port int) bool {
	policies := s.policies(from, networking.PolicyTypeEgress)
	for _, p := range policies {
		for _, rule := range p.Spec.Egress {
			if allowsPort(rule.Ports, port) && matchesPeer(rule.To, to) {
				return true
			}
		}
	}
	return len(policies) == 0
}

func allowsPort(ports []networking.NetworkPolicyPort, port int) bool {
	return len(ports) == 0 ||
		slices.ContainsFunc(ports, func(p networking.NetworkPolicyPort) bool { return p.Port.IntValue() == port })
}

func matchesPeer(peers []networking.NetworkPolicyPeer, labels map[string]string) bool {
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

// TestWrongPoliciesAreDetected checks that checkReach detects a missing policy, and policies that allow too much or too
// little.
func TestWrongPoliciesAreDetected(t *testing.T) {
	for name, breakPolicy := range map[string]func(map[string]*networking.NetworkPolicy){
		"a Redis without a policy": func(p map[string]*networking.NetworkPolicy) {
			p["stock-redis"].Spec.PodSelector.MatchLabels = map[string]string{"none": "none"}
		},
		"an internal port open to all": func(p map[string]*networking.NetworkPolicy) {
			p["stock"].Spec.Ingress[1].From = nil
		},
		"a gateway that reaches every port": func(p map[string]*networking.NetworkPolicy) {
			p["gateway"].Spec.Egress[1].Ports = nil
			p["order"].Spec.Ingress[0].Ports = nil
		},
		"metrics open to all": func(p map[string]*networking.NetworkPolicy) {
			rule := *p["stock"].Spec.Ingress[1].DeepCopy()
			rule.Ports[0].Port.IntVal, rule.From = 5002, nil
			p["stock"].Spec.Ingress = append(p["stock"].Spec.Ingress, rule)
		},
		"a closed Redis": func(p map[string]*networking.NetworkPolicy) { p["stock-redis"].Spec.Ingress = nil },
	} {
		s := load(t, nil)
		breakPolicy(of[*networking.NetworkPolicy](s, "NetworkPolicy"))
		if len(s.violations()) == 0 {
			t.Errorf("check network policies with %s: no violation reported", name)
		}
	}
}
