package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// object returns an empty object of a kind, for strict parsing: a field that the kind lacks is an error.
var object = map[string]func() any{
	"v1 Secret":                              func() any { return &core.Secret{} },
	"v1 ConfigMap":                           func() any { return &core.ConfigMap{} },
	"v1 Service":                             func() any { return &core.Service{} },
	"v1 Pod":                                 func() any { return &core.Pod{} },
	"apps/v1 StatefulSet":                    func() any { return &apps.StatefulSet{} },
	"apps/v1 Deployment":                     func() any { return &apps.Deployment{} },
	"policy/v1 PodDisruptionBudget":          func() any { return &policy.PodDisruptionBudget{} },
	"networking.k8s.io/v1 NetworkPolicy":     func() any { return &networking.NetworkPolicy{} },
	"networking.k8s.io/v1 Ingress":           func() any { return &networking.Ingress{} },
	"gateway.networking.k8s.io/v1 Gateway":   func() any { return &gateway.Gateway{} },
	"gateway.networking.k8s.io/v1 HTTPRoute": func() any { return &gateway.HTTPRoute{} },
	"networking.gke.io/v1 HealthCheckPolicy": func() any { return &healthCheckPolicy{} },
}

// healthCheckPolicy is the used part of a kind of GKE: https://googlecloudplatform.github.io/gke-gateway-api
type healthCheckPolicy struct {
	APIVersion, Kind string
	Metadata         struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		Default struct {
			Config struct {
				Type            string
				HTTPHealthCheck struct {
					Port        int
					RequestPath string
				} `json:"httpHealthCheck"`
			}
		}
		TargetRef struct{ Group, Kind, Name string }
	}
}

// system is the chart's output, by kind and name.
type system struct{ objects map[string]map[string]any }

func load(t *testing.T, values map[string]any) *system {
	t.Helper()
	rendered, err := render(root, values)
	if err != nil {
		t.Fatal(err)
	}
	s := &system{map[string]map[string]any{}}
	for _, file := range slices.Sorted(maps.Keys(rendered)) {
		for text := range strings.SplitSeq(rendered[file], "\n---\n") {
			if strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "---")) != "" {
				s.add(t, file, text)
			}
		}
	}
	return s
}

func (s *system) add(t *testing.T, file, text string) {
	t.Helper()
	var head struct {
		APIVersion, Kind string
		Metadata         struct{ Name string }
	}
	if err := yaml.Unmarshal([]byte(text), &head); err != nil {
		t.Fatalf("%s: %v\n%s", file, err, text)
	}
	empty := object[head.APIVersion+" "+head.Kind]
	if empty == nil {
		t.Fatalf("%s: unknown kind %s %s\n%s", file, head.APIVersion, head.Kind, text)
	}
	o := empty()
	if err := yaml.UnmarshalStrict([]byte(text), o); err != nil {
		t.Errorf("%s: %s %s: %v", file, head.Kind, head.Metadata.Name, err)
	}
	if s.objects[head.Kind] == nil {
		s.objects[head.Kind] = map[string]any{}
	}
	if s.objects[head.Kind][head.Metadata.Name] != nil {
		t.Errorf("duplicate %s %s", head.Kind, head.Metadata.Name)
	}
	s.objects[head.Kind][head.Metadata.Name] = o
}

// of returns the objects of one kind, by name.
func of[T any](s *system, kind string) map[string]T {
	found := map[string]T{}
	for name, o := range s.objects[kind] {
		found[name] = o.(T)
	}
	return found
}

var services = []string{"order", "payment", "stock"}

// instances returns the StatefulSets of the services, by service.
func (s *system) instances() map[string]*apps.StatefulSet {
	found := of[*apps.StatefulSet](s, "StatefulSet")
	maps.DeleteFunc(found, func(name string, _ *apps.StatefulSet) bool { return !slices.Contains(services, name) })
	return found
}

// pods returns the pod template and the number of pods of every workload, by its name.
func (s *system) pods() (map[string]core.PodTemplateSpec, map[string]int) {
	templates, numbers := map[string]core.PodTemplateSpec{}, map[string]int{}
	for name, set := range of[*apps.StatefulSet](s, "StatefulSet") {
		templates[name], numbers[name] = set.Spec.Template, int(*set.Spec.Replicas)
	}
	for name, deployment := range of[*apps.Deployment](s, "Deployment") {
		templates[name], numbers[name] = deployment.Spec.Template, int(*deployment.Spec.Replicas)
	}
	for name, pod := range of[*core.Pod](s, "Pod") {
		templates[name], numbers[name] = core.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}, 1
	}
	return templates, numbers
}

// templates returns the pod templates as text.
func (s *system) templates(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	templates, _ := s.pods()
	for name, template := range templates {
		text, err := json.Marshal(template)
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(text)
	}
	return found
}

func (s *system) secret(t *testing.T) *core.Secret {
	t.Helper()
	found := of[*core.Secret](s, "Secret")["redis-password"]
	if found == nil {
		t.Fatal("no Secret redis-password")
	}
	return found
}

func environment(set *apps.StatefulSet) map[string]string {
	found := map[string]string{}
	for _, v := range set.Spec.Template.Spec.Containers[0].Env {
		found[v.Name] = v.Value
		if ref := v.ValueFrom; ref != nil && ref.SecretKeyRef != nil {
			found[v.Name] = fmt.Sprintf("%s of %s", ref.SecretKeyRef.Key, ref.SecretKeyRef.Name)
		}
	}
	return found
}
