package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWindowsCheckoutsHaveUnixLineEnds clones the repository with the setting of Git for Windows, and looks for CRLF.
func TestWindowsCheckoutsHaveUnixLineEnds(t *testing.T) {
	if _, err := os.Stat("../../.git"); err != nil {
		t.Skip("these sources are not a Git repository")
	}
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-c", "safe.directory=*"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	dir := filepath.Join(t.TempDir(), "clone")
	git("clone", "-q", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "../..", dir)
	text := 0
	for name := range strings.SplitSeq(strings.TrimSuffix(git("-C", dir, "ls-files", "-z"), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte{0}) {
			continue // not text
		}
		if text++; bytes.Contains(content, []byte("\r\n")) {
			t.Errorf("%s has Windows line ends", name)
		}
	}
	if text < 500 {
		t.Errorf("found only %d text files, want at least 500", text)
	}
}
