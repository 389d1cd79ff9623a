package main

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
)

// podIndex is the label that distinguishes the pods of a StatefulSet, and the instances of a service.
const podIndex = apps.PodIndexLabel

// check runs all checks below. Every address must belong to the right pod. The security, limits and tolerations of
// every pod, the configuration of Redis, and the network policies must be correct. A pod must also have probes and a
// disruption budget, unless it is a test or the pod of a Job.
func (s *system) check(t *testing.T) {
	t.Helper()
	s.checkAddresses(t)
	templates, numbers := s.pods()
	for name, template := range templates {
		checkRestricted(t, name, template.Spec)
		if !s.runsOnce(name) {
			checkProbed(t, name, template)
			s.checkBudget(t, name, template)
		}
		if instance := slices.Contains(services, component(template)); instance && numbers[name] != 1 {
			t.Errorf("%s: %d pods, want one for each instance", name, numbers[name])
		}
		checkTolerations(t, name, template)
	}
	s.checkRedis(t)
	if len(s.objects["NetworkPolicy"]) > 0 {
		s.checkReach(t)
	}
}

// checkAddresses checks that every configured address belongs to the right pod. It checks the addresses in REDIS_ADDRS,
// the internal ports of peers, and the servers in the gateway's configuration.
func (s *system) checkAddresses(t *testing.T) {
	t.Helper()
	templates, numbers := s.pods()
	checkLeads := func(where, address, component string, index int) {
		t.Helper()
		host, port, _ := strings.Cut(address, ":")
		if want := fmt.Sprintf("%s-%d", component, index); host != want {
			t.Errorf("%s: got the address %s, want the host %s", where, address, want)
		}
		service := of[*core.Service](s, "Service")[host]
		if service == nil {
			t.Errorf("%s: the manifests contain no Service %s", where, host)
			return
		}
		template, isRedis := templates[host], strings.Contains(component, "-redis")
		if isRedis {
			template = templates[component] // of the StatefulSet; host is the name of one of its pods
			template.Labels = maps.Clone(template.Labels)
			template.Labels[podIndex] = strconv.Itoa(index) // Kubernetes adds this label
		}
		if !maps.Equal(service.Spec.Selector, template.Labels) || service.Spec.ClusterIP == "None" ||
			isRedis && index >= numbers[component] {
			t.Errorf("%s: Service %s selects %v, want a cluster IP and the labels of an existing pod of %s: %v", where,
				host, service.Spec.Selector, component, template.Labels)
		}
		// An instance on a lost node gets a new pod. With PublishNotReadyAddresses, the Service of the instance would
		// still send half of the connections to the old pod.
		if service.Spec.PublishNotReadyAddresses != isRedis {
			t.Errorf("Service %s: PublishNotReadyAddresses is %v, want true for a Redis only", host, !isRedis)
		}
		serves := slices.ContainsFunc(service.Spec.Ports,
			func(p core.ServicePort) bool { return strconv.Itoa(int(p.Port)) == port })
		listens := slices.ContainsFunc(containers(template.Spec)[0].Ports,
			func(p core.ContainerPort) bool { return strconv.Itoa(int(p.ContainerPort)) == port })
		if !serves || !listens {
			t.Errorf("%s: port %s is in the Service: %v, in the container: %v; want both", where, port, serves, listens)
		}
	}
	config := of[*core.ConfigMap](s, "ConfigMap")["gateway"].Data
	for name, template := range s.instances() {
		env := environment(template)
		addrs := strings.Split(env["REDIS_ADDRS"], ",")
		sets := s.redisSets(name)
		for i, address := range addrs {
			nodes := strings.Split(address, "+")
			if len(nodes) == 1 {
				checkLeads(name+": REDIS_ADDRS", address, name+"-redis", i)
				continue
			}
			for node, address := range nodes {
				checkLeads(name+": REDIS_ADDRS", address, fmt.Sprintf("%s-redis-%d", name, i), node)
			}
		}
		if want := max(len(sets), numbers[name+"-redis"]); len(addrs) != want {
			t.Errorf("%s: %d shards in REDIS_ADDRS, want %d", name, len(addrs), want)
		}
		for i := range s.count(name) {
			want, got := fmt.Sprintf("%d/%d", i+1, s.count(name)), environment(templates[fmt.Sprintf("%s-%d", name, i+1)])
			if got["MACHINE_ID"] != want {
				t.Errorf("%s: MACHINE_ID=%s, want %s", name, got["MACHINE_ID"], want)
			}
		}
		for peer := range strings.SplitSeq(map[string]string{"order": "stock,payment", "payment": "order"}[name], ",") {
			if peer == "" {
				continue
			}
			urls := strings.Split(env[strings.ToUpper(peer)+"_SERVICE_URL"], ",")
			for i, raw := range urls {
				u, err := url.Parse(raw)
				if err != nil || u.Scheme != "http" || u.Path != "/" {
					t.Fatalf("%s: %q is not the URL of an internal port", name, raw)
				}
				checkLeads(name+": "+peer, u.Host, peer, i+1)
			}
			if len(urls) != s.count(peer) {
				t.Errorf("%s: %d URLs of %s, want %d", name, len(urls), peer, s.count(peer))
			}
		}
		_, upstream, _ := strings.Cut(config["upstreams.conf"], "upstream "+name+" {")
		upstream, _, _ = strings.Cut(upstream, "}")
		servers := regexp.MustCompile(`server ([^ ;]+)`).FindAllStringSubmatch(upstream, -1)
		for i, server := range servers {
			checkLeads("gateway: upstream "+name, server[1], name, i+1)
		}
		if len(servers) != s.count(name) {
			t.Errorf("gateway: %d servers of %s, want %d", len(servers), name, s.count(name))
		}
	}
}

// checkRestricted checks that a pod meets the restricted Pod Security Standard, and that its resources are limited.
func checkRestricted(t *testing.T, name string, pod core.PodSpec) {
	t.Helper()
	s := pod.SecurityContext
	for what, holds := range map[string]bool{
		"no root": s != nil && s.RunAsNonRoot != nil && *s.RunAsNonRoot && s.RunAsUser != nil &&
			*s.RunAsUser > 0,
		"seccomp": s != nil && s.SeccompProfile != nil &&
			s.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault,
		"a token only if the pod creates a Secret": pod.AutomountServiceAccountToken != nil &&
			*pod.AutomountServiceAccountToken == (name == passwordJob || name == "keeper-token"),
		"no Service variables": pod.EnableServiceLinks != nil && !*pod.EnableServiceLinks,
		"no host namespaces":   !pod.HostNetwork && !pod.HostPID && !pod.HostIPC,
		"exactly one container": len(pod.Containers) == 1 &&
			(len(pod.InitContainers) == 0 || pod.Containers[0].Name == "keeper" && len(pod.InitContainers) == 1),
	} {
		if !holds {
			t.Errorf("%s: want %s", name, what)
		}
	}
	for _, c := range containers(pod) {
		s, r := c.SecurityContext, c.Resources
		for what, holds := range map[string]bool{
			"no privilege escalation": s != nil && s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation,
			"a read-only file system": s != nil && s.ReadOnlyRootFilesystem != nil && *s.ReadOnlyRootFilesystem,
			"no capability": s != nil && s.Capabilities != nil &&
				slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) && len(s.Capabilities.Add) == 0,
			"a CPU request":  !r.Requests.Cpu().IsZero(),
			"a memory limit": !r.Limits.Memory().IsZero() && r.Limits.Memory().Cmp(*r.Requests.Memory()) == 0,
			"an image tag":   regexp.MustCompile(`:[A-Za-z0-9_.-]+$`).MatchString(c.Image),
		} {
			if !holds {
				t.Errorf("%s: want %s", name, what)
			}
		}
	}
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			t.Errorf("%s mounts the host path %s, want no host path", name, v.HostPath.Path)
		}
	}
}

// checkProbed checks that a pod has probes. The liveness of an instance must not depend on Redis or peers.
func checkProbed(t *testing.T, name string, template core.PodTemplateSpec) {
	t.Helper()
	for _, c := range containers(template.Spec) {
		if c.LivenessProbe == nil {
			t.Fatalf("%s: the liveness probe of %s is missing", name, c.Name)
		}
	}
	c := template.Spec.Containers[0]
	if c.ReadinessProbe == nil {
		t.Fatalf("%s: the readiness probe of %s is missing", name, c.Name)
	}
	if slices.Contains(services, component(template)) {
		if live, ready := c.LivenessProbe.HTTPGet, c.ReadinessProbe.HTTPGet; live == nil || live.Path != "/healthz" ||
			ready == nil || ready.Path != "/readyz/instance" ||
			live.Port.String() != "internal" || ready.Port.String() != "internal" {
			t.Errorf("%s: got probes %+v and %+v, want /healthz and /readyz/instance on the internal port",
				name, c.LivenessProbe, c.ReadinessProbe)
		}
	}
}

// checkBudget checks the disruption budget and the topology spread of a workload.
func (s *system) checkBudget(t *testing.T, name string, template core.PodTemplateSpec) {
	t.Helper()
	labels := maps.Clone(template.Labels)
	delete(labels, podIndex) // all instances of a service share a budget
	budget := of[*policy.PodDisruptionBudget](s, "PodDisruptionBudget")[component(template)]
	if budget == nil || !maps.Equal(budget.Spec.Selector.MatchLabels, labels) ||
		budget.Spec.MaxUnavailable.IntValue() != 1 || budget.Spec.UnhealthyPodEvictionPolicy == nil ||
		*budget.Spec.UnhealthyPodEvictionPolicy != policy.AlwaysAllow {
		t.Errorf("%s: got disruption budget %+v, want at most 1 unavailable pod", name, budget)
	}
	if len(template.Spec.TopologySpreadConstraints) != 2 {
		t.Errorf("%s: %d topology spread constraints, want 2", name, len(template.Spec.TopologySpreadConstraints))
	}
	for _, c := range template.Spec.TopologySpreadConstraints {
		if !maps.Equal(c.LabelSelector.MatchLabels, labels) {
			t.Errorf("%s: the topology spread selects pods with the labels %v, want the labels of the pods",
				name, c.LabelSelector)
		}
	}
}

// checkTolerations checks that Kubernetes replaces the instances, gateways and backups of a lost node after 5 s.
// Kubernetes must not replace a Redis, because only one pod may use the volume.
func checkTolerations(t *testing.T, name string, template core.PodTemplateSpec) {
	t.Helper()
	got := map[string]int64{}
	for _, toleration := range template.Spec.Tolerations {
		if toleration.Effect == core.TaintEffectNoExecute && toleration.TolerationSeconds != nil {
			got[toleration.Key] = *toleration.TolerationSeconds
		}
	}
	want := map[string]int64{}
	if slices.Contains(append([]string{"gateway", "backup"}, services...), component(template)) {
		want = map[string]int64{core.TaintNodeUnreachable: 5, core.TaintNodeNotReady: 5}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s tolerates a lost node for %v seconds, want %v", name, got, want)
	}
}

// checkRedis checks that Redis makes every acknowledged write durable, evicts no keys, and has enough memory to rewrite
// its append-only file.
func (s *system) checkRedis(t *testing.T) {
	t.Helper()
	for service, instances := range s.instances() {
		for _, set := range s.redisSets(service) {
			checkRedisSet(t, set, environment(instances)["REDIS_PASSWORD"])
		}
	}
}

// redisSets returns the StatefulSets of a service's Redis servers: one for all single shards together, or one for
// each replicated shard.
func (s *system) redisSets(service string) (sets []*apps.StatefulSet) {
	for name, set := range of[*apps.StatefulSet](s, "StatefulSet") {
		if strings.HasPrefix(name, service+"-redis") {
			sets = append(sets, set)
		}
	}
	return sets
}

func checkRedisSet(t *testing.T, set *apps.StatefulSet, password string) {
	t.Helper()
	c, settings := containers(set.Spec.Template.Spec)[0], map[string]string{}
	for i := 0; i+1 < len(c.Args); i += 2 {
		settings[c.Args[i]] = c.Args[i+1]
	}
	for name, want := range map[string]string{
		"--dir": "/data", "--appendonly": "yes", "--appendfsync": "always", "--save": "",
		"--maxmemory-policy": "noeviction", "--requirepass": "$(REDISCLI_AUTH)",
	} {
		if got, ok := settings[name]; !ok || got != want {
			t.Errorf("%s: %s is %q, want %q", set.Name, name, got, want)
		}
	}
	most, err := strconv.ParseInt(strings.TrimSuffix(settings["--maxmemory"], "mb"), 10, 64)
	if limit := c.Resources.Limits.Memory().Value(); err != nil || most<<20*2 > limit {
		t.Errorf("%s: got maxmemory %s, want at most half of the memory limit of %d bytes; parse error %v", set.Name,
			settings["--maxmemory"], limit, err)
	}
	if env := environment(set.Spec.Template); env["REDISCLI_AUTH"] == "" || env["REDISCLI_AUTH"] != password {
		t.Errorf("%s: got password %q, want %q as in the instances", set.Name, env["REDISCLI_AUTH"], password)
	}
	if len(set.Spec.VolumeClaimTemplates) != 1 || c.VolumeMounts[0].MountPath != "/data" ||
		c.VolumeMounts[0].Name != set.Spec.VolumeClaimTemplates[0].Name {
		t.Errorf("%s: /data is not a volume", set.Name)
	}
	const retain = apps.RetainPersistentVolumeClaimRetentionPolicyType
	if keep := set.Spec.PersistentVolumeClaimRetentionPolicy; keep.WhenDeleted != retain || keep.WhenScaled != retain {
		t.Errorf("%s: the volume is not retained: %+v", set.Name, keep)
	}
}
