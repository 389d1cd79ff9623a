package redis_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every script of the project can be read at a glance: it says what it is for, what it takes, what it returns and whether it
// may be repeated, if it writes, and it is short.
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
		t.Fatalf("only %d scripts were found", len(files))
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
		said := strings.Join(header, "")
		for _, must := range []string{"#!lua", "\n-- " + strings.TrimSuffix(filepath.Base(file), ".lua") + ": ", "\n-- KEYS ", "\n-- returns "} {
			if !strings.Contains(said, must) {
				t.Errorf("%s: %q is missing in its header", file, must)
			}
		}
		if !strings.Contains(said, "repeated") && !strings.Contains(said, "flags=no-writes") {
			t.Errorf("%s writes, and does not say whether it may be repeated", file)
		}
		if len(code) > 40 {
			t.Errorf("%s has %d lines below its header, more than 40", file, len(code))
		}
		if strings.Contains(string(source), "tostring(") {
			t.Errorf("%s: tostring prints large numbers as 1e+15", file)
		}
	}
}
