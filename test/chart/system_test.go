package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

// object maps each API version and kind to a function that returns an empty object of its Go type. A test fails if a
// manifest has a field that this type lacks.
var object = map[string]func() any{
	"v1 Secret":                                func() any { return &core.Secret{} },
	"v1 ServiceAccount":                        func() any { return &core.ServiceAccount{} },
	"autoscaling/v2 HorizontalPodAutoscaler":   func() any { return &autoscaling.HorizontalPodAutoscaler{} },
	"batch/v1 CronJob":                         func() any { return &batch.CronJob{} },
	"rbac.authorization.k8s.io/v1 Role":        func() any { return &rbac.Role{} },
	"rbac.authorization.k8s.io/v1 RoleBinding": func() any { return &rbac.RoleBinding{} },
	"v1 ConfigMap":                             func() any { return &core.ConfigMap{} },
	"v1 Service":                               func() any { return &core.Service{} },
	"v1 Pod":                                   func() any { return &core.Pod{} },
	"batch/v1 Job":                             func() any { return &batch.Job{} },
	"apps/v1 StatefulSet":                      func() any { return &apps.StatefulSet{} },
	"apps/v1 Deployment":                       func() any { return &apps.Deployment{} },
	"policy/v1 PodDisruptionBudget":            func() any { return &policy.PodDisruptionBudget{} },
	"networking.k8s.io/v1 NetworkPolicy":       func() any { return &networking.NetworkPolicy{} },
	"networking.k8s.io/v1 Ingress":             func() any { return &networking.Ingress{} },
	"gateway.networking.k8s.io/v1 Gateway":     func() any { return &gateway.Gateway{} },
	"gateway.networking.k8s.io/v1 HTTPRoute":   func() any { return &gateway.HTTPRoute{} },
	"networking.gke.io/v1 HealthCheckPolicy":   func() any { return &healthCheckPolicy{} },
	"ha.gke.io/v1 HighAvailabilityApplication": func() any { return &highAvailability{} },
}

// healthCheckPolicy is the GKE resource HealthCheckPolicy, with only the fields that the chart sets:
// https://googlecloudplatform.github.io/gke-gateway-api.
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

// highAvailability is the GKE resource HighAvailabilityApplication:
// https://cloud.google.com/kubernetes-engine/docs/reference/crds/highavailabilityapplication.
type highAvailability struct {
	APIVersion, Kind string
	Metadata         struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		ResourceSelection struct{ ResourceKind string }
		Policy            struct {
			StorageSettings  struct{ RequireRegionalStorage bool }
			FailoverSettings struct {
				ForceDeleteStrategy  string
				AfterNodeUnreachable struct{ AfterNodeUnreachableSeconds int }
			}
		}
	}
}

// system contains the objects in the chart's output, by kind and name.
type system struct{ objects map[string]map[string]any }

// load renders the chart and parses its output.
func load(t *testing.T, values map[string]any) *system {
	t.Helper()
	rendered, err := render(root, values)
	if err != nil {
		t.Fatal(err)
	}
	return parseSystem(t, rendered)
}

// parseSystem parses the chart's output.
func parseSystem(t *testing.T, rendered map[string]string) *system {
	t.Helper()
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
	// Decode JSON: yaml.Unmarshal would accept a number for a string field, but the API server refuses such a number.
	asJSON, err := yaml.YAMLToJSONStrict([]byte(text))
	if err == nil {
		err = json.Unmarshal(asJSON, &head)
	}
	if err != nil {
		t.Fatalf("parse %s: %v\n%s", file, err, text)
	}
	empty := object[head.APIVersion+" "+head.Kind]
	if empty == nil {
		t.Fatalf("parse %s: unknown kind %s %s\n%s", file, head.APIVersion, head.Kind, text)
	}
	o := empty()
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(o); err != nil {
		t.Errorf("parse %s: %s %s: %v", file, head.Kind, head.Metadata.Name, err)
	}
	if s.objects[head.Kind] == nil {
		s.objects[head.Kind] = map[string]any{}
	}
	if s.objects[head.Kind][head.Metadata.Name] != nil {
		t.Errorf("parse the chart's output: duplicate %s %s", head.Kind, head.Metadata.Name)
	}
	s.objects[head.Kind][head.Metadata.Name] = o
}

// of returns the objects of a kind, by name.
func of[T any](s *system, kind string) map[string]T {
	objects := map[string]T{}
	for name, o := range s.objects[kind] {
		objects[name] = o.(T)
	}
	return objects
}

// passwordJob is the name of the Job that generates the password. In the chart's output, a hash follows this name.
const passwordJob = "redis-password"

var services = []string{"order", "payment", "stock"}

// instances returns the pod template of each service's first instance, by service.
func (s *system) instances() map[string]core.PodTemplateSpec {
	templates, _ := s.pods()
	first := map[string]core.PodTemplateSpec{}
	for _, service := range services {
		first[service] = templates[service+"-1"]
	}
	return first
}

// count returns the number of instances of a service.
func (s *system) count(service string) (n int) {
	for _, deployment := range of[*apps.Deployment](s, "Deployment") {
		if component(deployment.Spec.Template) == service {
			n += int(*deployment.Spec.Replicas)
		}
	}
	return n
}

// component returns the component that a pod belongs to, such as "order" or "order-redis".
func component(template core.PodTemplateSpec) string {
	return template.Labels["app.kubernetes.io/name"]
}

// pods returns the pod template and the number of pods of every workload, by name.
func (s *system) pods() (map[string]core.PodTemplateSpec, map[string]int) {
	templates, numbers := map[string]core.PodTemplateSpec{}, map[string]int{}
	for name, set := range of[*apps.StatefulSet](s, "StatefulSet") {
		templates[name], numbers[name] = set.Spec.Template, int(*set.Spec.Replicas)
	}
	for name, deployment := range of[*apps.Deployment](s, "Deployment") {
		templates[name] = deployment.Spec.Template
		if replicas := deployment.Spec.Replicas; replicas != nil {
			numbers[name] = int(*replicas)
		}
	}
	for name, pod := range of[*core.Pod](s, "Pod") {
		templates[name], numbers[name] = core.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}, 1
	}
	for name, job := range of[*batch.Job](s, "Job") {
		name = name[:strings.LastIndex(name, "-")] // without the hash at the end
		templates[name], numbers[name] = job.Spec.Template, 1
	}
	return templates, numbers
}

// templates returns the pod templates in JSON, by the name of the workload.
func (s *system) templates(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	templates, _ := s.pods()
	for name, template := range templates {
		text, err := json.Marshal(template)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// runsOnce reports whether a workload is a Job or the pod of `helm test`.
func (s *system) runsOnce(name string) bool {
	return s.objects["Deployment"][name] == nil && s.objects["StatefulSet"][name] == nil
}

// containers returns a pod's init containers and then its containers.
func containers(pod core.PodSpec) []core.Container {
	return slices.Concat(pod.InitContainers, pod.Containers)
}

// environment returns the environment variables of a pod's first container. The value of a variable from a Secret is
// "<key> of <Secret>".
func environment(template core.PodTemplateSpec) map[string]string {
	env := map[string]string{}
	for _, v := range containers(template.Spec)[0].Env {
		env[v.Name] = v.Value
		if ref := v.ValueFrom; ref != nil && ref.SecretKeyRef != nil {
			env[v.Name] = fmt.Sprintf("%s of %s", ref.SecretKeyRef.Key, ref.SecretKeyRef.Name)
		}
	}
	return env
}
