package main

import (
	"slices"
	"strings"
	"testing"
)

// volumes are the volumes of a cluster, as the jsonpath in undeploy.sh prints them. With --data, undeploy.sh must
// delete pv-1 and pv-2, and keep the others.
const volumes = `default/data-order-redis-0 Delete pv-1 projects/shop/zones/europe-west4-a/disks/disk-1
default/data-stock-redis-1-2 Delete pv-2 projects/shop/zones/europe-west4-a/disks/disk-2
default/data-payment-redis-0 Retain pv-3 projects/shop/zones/europe-west4-b/disks/disk-3
default/data-payment-redis-1 Retain pv-4 projects/shop/regions/europe-west4/disks/disk-4
default/data-payment-redis-2 Retain pv-5 
other/data-order-redis-0 Delete pv-6 projects/shop/zones/europe-west4-a/disks/disk-6
default/data-postgres-0 Delete pv-7 projects/shop/zones/europe-west4-a/disks/disk-7
`

// TestUndeploy checks the commands of undeploy.sh. It also checks that a second run with --cluster deletes nothing, and
// that undeploy.sh refuses wrong arguments.
func TestUndeploy(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"get-credentials", "helm uninstall checkout"}},
		{[]string{"--data"}, []string{"get-credentials", "helm uninstall checkout",
			"delete persistentvolumeclaim -l app.kubernetes.io/instance=checkout",
			"kubectl wait --for=delete persistentvolume pv-1 pv-2 --timeout=10m"}},
		{[]string{"--cluster", "--data"}, []string{
			"get-credentials", "helm uninstall checkout", "delete persistentvolumeclaim",
			"kubectl wait --for=delete persistentvolume pv-1 pv-2 --timeout=10m", "clusters delete checkout",
			"nats delete", "routers delete", "addresses delete",
		}},
	} {
		cloud := newCloud(t)
		if _, output, err := cloud.run("deploy.sh", []string{"2"}, prefix); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		cloud.write("volumes", volumes)
		calls, output, err := cloud.run("undeploy.sh", c.args)
		if err != nil {
			t.Errorf("%v: %v\n%s", c.args, err, output)
		}
		inOrder(t, changes(calls), c.want...)
		if !slices.Contains(c.args, "--cluster") {
			continue
		}
		if calls, output, err := cloud.run("undeploy.sh", c.args); err != nil || len(changes(calls)) > 0 {
			t.Errorf("undeploy %v again: ran %q, error %v, want no command and no error:\n%s",
				c.args, changes(calls), err, output)
		}
	}
	for _, args := range [][]string{{"--cluster"}, {"--all"}, {"3"}} {
		if calls, output, err := newCloud(t).run("undeploy.sh", args); err == nil || calls[0] != "" {
			t.Errorf("undeploy %q: got output %q, ran %q; want an error and no command", args, output, calls)
		}
	}
}

// TestUndeployVolumes checks that undeploy.sh names the disks that remain. The script must keep the cluster if it
// cannot list the volumes, or if a volume that it must delete still exists.
func TestUndeployVolumes(t *testing.T) {
	for fail, wanted := range map[string][]string{
		"": {"gcloud compute disks delete disk-3 --project shop --zone europe-west4-b\n",
			"gcloud compute disks delete disk-4 --project shop --region europe-west4\n",
			"(delete the disk of the volume pv-5 by hand)\n"},
		"kubectl wait":                 {"run this script again: pv-1 projects/shop/", "\npv-2 projects/shop/"},
		"kubectl get persistentvolume": nil,
	} {
		cloud := newCloud(t)
		cloud.write("clusters", "checkout\n")
		cloud.write("volumes", volumes)
		calls, output, err := cloud.run("undeploy.sh", []string{"--data", "--cluster"}, "FAIL="+fail)
		for _, want := range wanted {
			if !strings.Contains(output, want) {
				t.Errorf("failing %q: want %q in the output:\n%s", fail, want, output)
			}
		}
		deleted := slices.ContainsFunc(calls, func(call string) bool { return strings.Contains(call, "clusters delete") })
		if (err != nil) != (fail != "") || deleted != (fail == "") {
			t.Errorf("failing %q: got error %v, cluster deleted: %v; want cluster deleted: %v, and an error if not; ran %q",
				fail, err, deleted, fail == "", calls)
		}
	}
}

// TestUndeployAuthorizes checks that undeploy.sh adds the address of this shell to the authorized networks.
func TestUndeployAuthorizes(t *testing.T) {
	cloud := newCloud(t)
	cloud.write("clusters", "checkout\n")
	cloud.write("networks", "198.51.100.7/32\n")
	calls, output, err := cloud.run("undeploy.sh", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	inOrder(t, changes(calls), "--master-authorized-networks 198.51.100.7/32,192.0.2.1/32", "get-credentials",
		"helm uninstall")
}
