package service

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"checkout/common/env"
)

// usageError is the error for wrong arguments.
type usageError struct{ error }

// UsageError returns an error that makes Main exit with status 2.
func UsageError(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// parseArgs returns the command in the arguments of the process: "help", "version", "healthcheck", "adopt-shard", or ""
// to run an instance.
func (d Definition) parseArgs(args []string) (string, error) {
	if len(args) < 2 {
		return "", nil
	}
	if args[1] == adoptShard {
		return adoptShard, nil
	}
	wrong := args[1]
	if len(args) > 2 {
		wrong = args[2]
	}
	if len(args) == 2 {
		switch args[1] {
		case "help", "-help", "--help", "-h":
			return "help", nil
		case "version", "-version", "--version":
			return "version", nil
		case "healthcheck":
			return "healthcheck", nil
		}
	}
	return "", UsageError("unexpected argument %q; run %s --help", wrong, d.Name)
}

// adoptShard is the command that adopts shards. The arguments after it are the indexes of these shards.
const adoptShard = "adopt-shard"

// help returns the text for --help.
func (d Definition) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, `%[1]s is a service of the checkout system.

  %[1]s              run an instance until SIGTERM; the environment configures it
  %[1]s adopt-shard 0 1 …
                     make instances use the Redis of these shards although they refuse it; see "Adopt a
                     shard" in docs/operations.md
  %[1]s healthcheck  exit with status 0 if the instance with the same environment is ready
  %[1]s --version    print the version
  %[1]s --help       print this help

Environment:

`, d.Name)
	WriteVariables(&b, env.Variables)
	return b.String()
}

// WriteVariables writes the list of environment variables for --help.
func WriteVariables(out io.Writer, variables []env.Variable) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range variables {
		for name := range strings.SplitSeq(v.Name, ", ") {
			fmt.Fprintf(w, "  %s\t%s\n", name, strings.ReplaceAll(v.Meaning, "`", ""))
		}
		fmt.Fprintf(w, "  \tdefault: %s\n", v.Default)
	}
	w.Flush()
}
