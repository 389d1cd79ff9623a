package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"checkout/keeper/rule"
)

func TestStateFile(t *testing.T) {
	f := stateFile{filepath.Join(t.TempDir(), "data", "keeper.json"), "order-0", 1}
	if p, found, err := f.load(); err != nil || found || p != (rule.Promise{}) {
		t.Errorf("no file: got promise %+v, found %v, error %v; want no promise, false, no error", p, found, err)
	}
	for _, want := range []rule.Promise{{Epoch: 3}, {Epoch: 4, Candidate: "0123"}} {
		if err := f.Save(want); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(f.path+".new", []byte(`{"shard":`), 0o644) // a crash during Save
		if got, found, err := f.load(); err != nil || !found || got != want {
			t.Errorf("got promise %+v, found %v, error %v; want promise %+v", got, found, err, want)
		}
	}
	for name, other := range map[string]stateFile{
		"node 2 of order-0": {f.path, "order-0", 2}, "node 1 of stock-0": {f.path, "stock-0", 1},
	} {
		if _, _, err := other.load(); err == nil || !strings.Contains(err.Error(), "this is "+name) {
			t.Errorf("load as %s: got %v, want an error with this name", name, err)
		}
	}
	start := `{"shard":"order-0","node":1,"promised":`
	for _, content := range []string{"", "{", start + `"x"}`, start + "-1}"} {
		os.WriteFile(f.path, []byte(content), 0o644)
		if _, _, err := f.load(); err == nil {
			t.Errorf("a file with %q: got no error, want one", content)
		}
	}
}

func TestStateFileReportsFailures(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"the parent is a file":              filepath.Join(dir, "file", "keeper.json"),
		"the path is a directory":           filepath.Join(dir, "directory"),
		"the temporary file is a directory": filepath.Join(dir, "keeper.json"),
	} {
		os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
		os.MkdirAll(filepath.Join(dir, "directory", "x"), 0o755)
		os.MkdirAll(filepath.Join(dir, "keeper.json.new"), 0o755)
		if err := (stateFile{path, "order-0", 0}).Save(rule.Promise{Epoch: 1}); err == nil {
			t.Errorf("%s: Save: got no error, want one", name)
		}
	}
}
