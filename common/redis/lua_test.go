package redis_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every script of the project is short. The header documents the purpose, the keys and the reply and, if the script
// writes, whether a retry is safe.
func TestScriptsAreDocumented(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"../../*/lua/*.lua", "../../*/*/lua/*.lua"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 20 {
		t.Fatalf("found %d scripts, want at least 20", len(files))
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var header, code []string
		for line := range strings.Lines(string(source)) {
			if len(code) == 0 && (strings.HasPrefix(line, "#!") || strings.HasPrefix(line, "--")) {
				header = append(header, line)
			} else {
				code = append(code, line)
			}
		}
		name, text := strings.TrimSuffix(filepath.Base(file), ".lua"), strings.Join(header, "")
		for _, part := range []string{"#!lua", "\n-- " + name + ": ", "\n-- KEYS ", "\n-- returns "} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the header comment does not contain %q", file, part)
			}
		}
		safety := strings.Contains(text, "Safe to retry") || strings.Contains(text, "Must not be retried")
		if !safety && !strings.Contains(text, "flags=no-writes") {
			t.Errorf("%s: the header of a script that writes must state whether it is safe to retry", file)
		}
		if len(code) > 40 {
			t.Errorf("%s: got %d lines below the header, want at most 40", file, len(code))
		}
		if strings.Contains(string(source), "tostring(") {
			t.Errorf("%s: the script calls tostring, which prints large numbers as 1e+15", file)
		}
	}
}
