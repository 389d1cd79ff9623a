// Package npm fetches packages of the npm registry for tests.
package npm

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Unpack returns a folder of the test's own with what is published in a package, "axe-core@4.14.1".
func Unpack(t testing.TB, name string) string {
	t.Helper()
	to := t.TempDir()
	tarball := strings.TrimSpace(Run(t, to, "npm", "pack", "--silent", "--prefer-offline", name))
	Run(t, to, "tar", "xzf", tarball)
	return filepath.Join(to, "package")
}

// Run runs a program in a folder, and returns what it writes to its output.
func Run(t testing.TB, folder, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}
