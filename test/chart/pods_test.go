package main

import (
	"reflect"
	"slices"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
)

// podValues sets every field of the value "pod" of a component.
const podValues = `{labels: {team: a}, annotations: {note: b}, nodeSelector: {disk: ssd, zone: x},
	tolerations: [{key: mine, operator: Exists, effect: NoSchedule}],
	affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}},
	env: [{name: GOGC, value: "200"}, {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}],
	volumes: [{name: extra, configMap: {name: extra}}], volumeMounts: [{name: extra, mountPath: /extra, readOnly: true}]}`

// TestPodValues checks that the value "pod" of a component reaches only the pods of the component.
func TestPodValues(t *testing.T) {
	all := "nodeSelector: {zone: w, pool: z}, tolerations: [{key: all, operator: Exists}]"
	for component, workloads := range map[string][]string{
		"machine": {"order-1", "payment-1", "stock-1"}, "redis": {"order-redis", "payment-redis", "stock-redis"},
		"gateway": {"gateway"},
	} {
		plain, _ := load(t, parse(t, "{"+all+"}")).pods()
		s := load(t, parse(t, "{"+all+", "+component+": {pod: "+podValues+"}}"))
		templates, _ := s.pods()
		for name, template := range templates {
			if !slices.Contains(workloads, name) {
				if !reflect.DeepEqual(template, plain[name]) {
					t.Errorf("%s.pod changes the pod of %s, want no change", component, name)
				}
				continue
			}
			checkRestricted(t, name, template.Spec)
			c := template.Spec.Containers[0]
			wantEnv := append(slices.Clone(plain[name].Spec.Containers[0].Env), core.EnvVar{Name: "GOGC", Value: "200"},
				core.EnvVar{Name: "NODE", ValueFrom: &core.EnvVarSource{FieldRef: &core.ObjectFieldSelector{
					FieldPath: "spec.nodeName"}}})
			for what, holds := range map[string]bool{
				"label":      template.Labels["team"] == "a" && len(template.Labels) == len(plain[name].Labels)+1,
				"annotation": template.Annotations["note"] == "b" && len(template.Annotations) == len(plain[name].Annotations)+1,
				"node selector": reflect.DeepEqual(template.Spec.NodeSelector,
					map[string]string{"disk": "ssd", "zone": "x", "pool": "z"}),
				"toleration of all":           tolerates(template.Spec, "all"),
				"toleration of the component": tolerates(template.Spec, "mine"),
				"affinity":                    template.Spec.Affinity != nil && template.Spec.Affinity.PodAffinity != nil,
				"environment":                 reflect.DeepEqual(c.Env, wantEnv),
				"volume": slices.ContainsFunc(template.Spec.Volumes,
					func(v core.Volume) bool { return v.Name == "extra" && v.ConfigMap.Name == "extra" }) &&
					len(template.Spec.Volumes) == len(plain[name].Spec.Volumes)+1,
				"mount": slices.ContainsFunc(c.VolumeMounts,
					func(m core.VolumeMount) bool { return m.Name == "extra" && m.MountPath == "/extra" }) &&
					len(c.VolumeMounts) == len(plain[name].Spec.Containers[0].VolumeMounts)+1,
			} {
				if !holds {
					t.Errorf("%s.pod: wrong %s in %s: %+v", component, what, name, template)
				}
			}
		}
	}
}

func tolerates(pod core.PodSpec, key string) bool {
	return slices.ContainsFunc(pod.Tolerations, func(t core.Toleration) bool { return t.Key == key })
}

// TestServiceAccount checks which account the pods use, and that no pod mounts the account's token.
func TestServiceAccount(t *testing.T) {
	for values, want := range map[string]string{
		"{}":                           "",
		"serviceAccount: {name: mine}": "mine",
		"serviceAccount: {create: true, name: a}":                                            "a",
		"serviceAccount: {create: true, annotations: {iam.gke.io/gcp-service-account: a@b}}": "checkout",
	} {
		s := load(t, parse(t, values))
		s.check(t)
		templates, _ := s.pods()
		for _, name := range []string{"order-1", "order-redis", "gateway", "checkout-test"} {
			if got := templates[name].Spec.ServiceAccountName; got != want {
				t.Errorf("%s: the account of %s is %q, want %q", values, name, got, want)
			}
		}
		account := of[*core.ServiceAccount](s, "ServiceAccount")[want]
		if creates := want == "a" || want == "checkout"; creates != (account != nil) {
			t.Errorf("%s: got the account %+v, want an account only if the chart creates accounts", values, account)
		}
		if want == "checkout" && account.Annotations["iam.gke.io/gcp-service-account"] != "a@b" {
			t.Errorf("%s: got the annotations %v, want iam.gke.io/gcp-service-account=a@b", values, account.Annotations)
		}
	}
}

// TestAutoscaling checks that the chart leaves the number of gateways to the autoscaler.
func TestAutoscaling(t *testing.T) {
	s := load(t, parse(t, "gateway: {replicas: 3, autoscale: {maxReplicas: 9, cpuPercent: 60}}"))
	s.check(t)
	if replicas := of[*apps.Deployment](s, "Deployment")["gateway"].Spec.Replicas; replicas != nil {
		t.Errorf("gateway: got %d replicas, want no number because of the autoscaler", *replicas)
	}
	spec := of[*autoscaling.HorizontalPodAutoscaler](s, "HorizontalPodAutoscaler")["gateway"].Spec
	if *spec.MinReplicas != 3 || spec.MaxReplicas != 9 || *spec.Metrics[0].Resource.Target.AverageUtilization != 60 ||
		spec.ScaleTargetRef != (autoscaling.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment",
			Name: "gateway"}) {
		t.Errorf("autoscaler: got %+v, want 3 to 9 gateways at 60 %% CPU", spec)
	}
	for live, want := range map[string]int32{"7": 7, "1": 3} { // an upgrade must not scale down
		rendered, err := renderLive(t, "gateway: {replicas: 3, autoscale: {maxReplicas: 9}}", map[string]string{
			"deployments/gateway": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: gateway}, " +
				"spec: {replicas: " + live + "}}"})
		if err != nil {
			t.Fatal(err)
		}
		s := parseSystem(t, map[string]string{"gateway.yaml": rendered["checkout/templates/gateway.yaml"]})
		deployment := of[*apps.Deployment](s, "Deployment")["gateway"]
		if got := deployment.Spec.Replicas; got == nil || *got != want {
			t.Errorf("upgrade with %s gateways in the cluster: got replicas %v, want %d", live, got, want)
		}
	}
	if s := load(t, nil); len(s.objects["HorizontalPodAutoscaler"]) > 0 {
		t.Error("an autoscaler exists by default, want none")
	}
}
