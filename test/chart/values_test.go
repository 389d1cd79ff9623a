package main

import (
	"slices"
	"strings"
	"testing"
)

// TestOwnVariablesAreReserved checks that the chart refuses every variable in pod.env that the chart sets itself.
func TestOwnVariablesAreReserved(t *testing.T) {
	s := load(t, parse(t, "{access: {internalTokenSecret: a}, observability: {traces: 'http://a:1'}}"))
	names := map[string]map[string]bool{"machine": {}, "redis": {}, "gateway": {}}
	for _, s := range []*system{s, load(t, parse(t, externalValues))} {
		templates, _ := s.pods()
		for workload, template := range templates {
			component := "machine"
			if workload == "gateway" {
				component = "gateway"
			} else if strings.HasSuffix(workload, "-redis") {
				component = "redis"
			}
			for _, v := range template.Spec.Containers[0].Env {
				names[component][v.Name] = true
			}
		}
	}
	for component := range names {
		for name := range names[component] {
			_, err := render(root, parse(t, component+": {pod: {env: [{name: "+name+", value: a}]}}"))
			if err == nil || !strings.Contains(err.Error(), component+".pod.env cannot contain "+name) {
				t.Errorf("render with %s in %s.pod.env: got error %v, want an error that names the variable", name, component, err)
			}
		}
	}
}

// TestNumbersForCPU checks that the chart accepts a number of processors with and without quotes.
func TestNumbersForCPU(t *testing.T) {
	for text, want := range map[string]int64{"0.5": 500, "2": 2000, "1.5": 1500, "'0.5'": 500, "250m": 250, "0.001": 1,
		"'0.123'": 123} {
		s := load(t, parse(t, "{machine: {cpu: "+text+"}, redis: {cpu: "+text+"}, gateway: {cpu: "+text+"}}"))
		templates, _ := s.pods()
		for _, name := range []string{"order-1", "order-redis", "gateway"} {
			if got := templates[name].Spec.Containers[0].Resources.Requests.Cpu().MilliValue(); got != want {
				t.Errorf("cpu: %s: %s requests %dm, want %dm", text, name, got, want)
			}
		}
	}
}

// TestImages checks the names of the images.
func TestImages(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a1", 32)
	for values, want := range map[string][3]string{ // want: the images of order, gateway and order-redis
		"{}":                    {"checkout-order:2.0.0", "checkout-gateway:2.0.0", "redis:8.10-alpine"},
		"image: {tag: edge}":    {"checkout-order:edge", "checkout-gateway:edge", "redis:8.10-alpine"},
		"image: {prefix: a/b-}": {"a/b-order:2.0.0", "a/b-gateway:2.0.0", "redis:8.10-alpine"},
		"{image: {registry: 'r:5000/x'}, redis: {flavour: valkey}}": {"r:5000/x/checkout-order:2.0.0",
			"r:5000/x/checkout-gateway:2.0.0", "r:5000/x/valkey/valkey:9.1-alpine"},
		"{image: {registry: r, digests: {order: '" + digest + "'}}, redis: {image: 'q/redis@" + digest + "'}}": {
			"r/checkout-order:2.0.0@" + digest, "r/checkout-gateway:2.0.0", "q/redis@" + digest},
	} {
		templates, _ := load(t, parse(t, values)).pods()
		for i, name := range []string{"order-1", "gateway", "order-redis"} {
			if got := templates[name].Spec.Containers[0].Image; got != want[i] {
				t.Errorf("%s: image of %s is %s, want %s", values, name, got, want[i])
			}
		}
	}
}

const externalValues = `{machines: 2, redis: {existingSecret: mine, external: {
	order: ['a.example:6380', 'b.example:6381'], stock: ['c.example:6380'], payment: ['[fd00::1]:6380'],
	username: checkout, tls: true, caSecret: ca, caKey: root.pem, checkSettings: false}}}`

// TestExternalRedis checks that the instances use external Redis servers and may reach them, and that the chart creates
// no Redis.
func TestExternalRedis(t *testing.T) {
	s := load(t, parse(t, externalValues))
	templates, _ := s.pods()
	for kind, objects := range s.objects {
		for name := range objects {
			if strings.Contains(name, "redis") {
				t.Errorf("%s %s exists, want none for an external Redis", kind, name)
			}
		}
	}
	for service, want := range map[string]struct {
		addresses string
		ports     []int
	}{
		"order":   {"a.example:6380,b.example:6381", []int{6380, 6381}},
		"stock":   {"c.example:6380", []int{6380}},
		"payment": {"[fd00::1]:6380", []int{6380}},
	} {
		template := templates[service+"-1"]
		checkRestricted(t, service, template.Spec)
		env := environment(template)
		for variable, value := range map[string]string{"REDIS_ADDRS": want.addresses, "REDIS_USERNAME": "checkout",
			"REDIS_PASSWORD": "password of mine", "REDIS_TLS": "1", "REDIS_DURABLE": "unchecked", "REDIS_DISK": "",
			"SSL_CERT_FILE": "/etc/redis-ca/ca.crt"} {
			if env[variable] != value {
				t.Errorf("%s: %s is %q, want %q", service, variable, env[variable], value)
			}
		}
		volume, mount := template.Spec.Volumes[0], template.Spec.Containers[0].VolumeMounts[0]
		if items := volume.Secret.Items; volume.Secret.SecretName != "ca" || len(items) != 1 || items[0].Key != "root.pem" ||
			mount.Name != volume.Name || mount.MountPath+"/"+items[0].Path != env["SSL_CERT_FILE"] {
			t.Errorf("%s: got the volume %+v and the mount %+v, want the CA certificate at SSL_CERT_FILE",
				service, volume, mount)
		}
		for _, port := range []int{6379, 6380, 6381} {
			got := s.allowsEgress(template.Labels, nil, port)
			if allowed := slices.Contains(want.ports, port); got != allowed {
				t.Errorf("%s: may connect to port %d of a host outside: %v, want %v", service, port, got, allowed)
			}
		}
	}
	minimal := load(t, parse(t, `redis: {external: {order: ['a_b.example.:1', '[::1]:2'], stock: ['10.0.0.1:1'],
		payment: [r-1:1]}}`))
	env := environment(minimal.instances()["order"])
	for _, variable := range []string{"REDIS_PASSWORD", "REDIS_USERNAME", "SSL_CERT_FILE", "REDIS_DURABLE"} {
		if value, set := env[variable]; set {
			t.Errorf("%s is %q, although the values do not set it", variable, value)
		}
	}
}
