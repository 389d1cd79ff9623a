// Package npm downloads packages from the npm registry for tests.
package npm

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Unpack downloads a package, such as "axe-core@4.14.1". It returns the temporary folder with its files.
func Unpack(t testing.TB, name string) string {
	t.Helper()
	folder := t.TempDir()
	tarball := strings.TrimSpace(Run(t, folder, "npm", "pack", "--silent", "--prefer-offline", name))
	Run(t, folder, "tar", "xzf", tarball)
	return filepath.Join(folder, "package")
}

// Run runs a program in a folder and returns its standard output.
func Run(t testing.TB, folder, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}
