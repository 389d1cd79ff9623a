// Package version reports the version of a program, for --version and the metrics.
package version

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: -X checkout/common/version.version=1.2.3.
var version = "devel"

// LinkerFlag is the start of the linker's argument that sets the version.
const LinkerFlag = "checkout/common/version.version="

// Get returns the version that the linker has set, or "devel".
func Get() string { return version }

// Revision returns the commit of the sources, with "+changes" if the sources were changed after that commit. It returns
// "" if the build did not record the commit, as with -buildvcs=false.
func Revision() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return ""
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	if revision != "" && settings["vcs.modified"] == "true" {
		revision += "+changes"
	}
	return revision
}

// Line returns the line that a program prints for --version.
func Line(program string) string {
	line := program + " " + version
	if revision := Revision(); revision != "" {
		line += " (" + revision + ")"
	}
	return fmt.Sprintf("%s %s %s/%s", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// ParseFlags parses the arguments of a program that takes only flags. With -version it prints the version to stdout.
// After -version and -help it returns flag.ErrHelp: the program should exit with status 0.
func ParseFlags(flags *flag.FlagSet, args []string, stdout io.Writer) error {
	show := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *show {
		fmt.Fprintln(stdout, Line(flags.Name()))
		return flag.ErrHelp
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; run %s -help", flags.Arg(0), flags.Name())
	}
	return nil
}
