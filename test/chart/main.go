// Command chart renders the Helm chart into the plain manifests in k8s/kube and gke/kube: `make manifests`. Its tests
// check the chart against the types of Kubernetes and the Gateway API. It is a separate module, so the services do not
// depend on these.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := write("../.."); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}
