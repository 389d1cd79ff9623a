// Command chart renders the Helm chart to the plain manifests in k8s/kube and gke/kube. Run it with `make manifests`.
// The tests of this package check the chart against the types of Kubernetes and the Gateway API. The package is a
// separate module, so that the services do not depend on Helm and Kubernetes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
)

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("chart", flag.ContinueOnError)
	version := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *version:
		fmt.Println("chart devel", runtime.Version())
		return nil
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; run chart -help", flags.Arg(0))
	}
	return write("../..")
}
