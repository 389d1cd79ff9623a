// Command chart renders the Helm chart into the plain manifests of k8s/kube and gke/kube: `make manifests`. Its tests hold the chart
// against the types of Kubernetes and the Gateway API. It is a module of its own, so that the services depend on none of this.
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
