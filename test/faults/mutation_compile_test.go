package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"checkout/common/testredis"
	"checkout/test/stack"
)

// TestMutationsCompile type-checks each Go package, and compiles each script, that a mutation changes. A build of each
// mutation would take minutes.
func TestMutationsCompile(t *testing.T) {
	product, err := productWithShortTimes()
	if err != nil {
		t.Fatal(err)
	}
	packages, redis := listPackages(t), testredis.Start(t)
	for _, m := range mutations {
		source, err := product.edited(m.edits)
		if err != nil {
			t.Errorf("mutation %q: %v", m.name, err)
			continue
		}
		checked := map[string]bool{}
		for _, e := range m.edits {
			var err error
			folder := filepath.Dir(pathOf(e.file))
			switch {
			case strings.HasSuffix(e.file, ".lua"):
				err = redis.Client.ScriptLoad(t.Context(), source[e.file]).Err()
			case !checked[folder]:
				checked[folder] = true
				err = packages.check(folder, source)
			}
			if err != nil {
				t.Errorf("mutation %q: %s: %v", m.name, e.file, err)
			}
		}
	}
}

// pathOf returns "common/x.go" for "order: common/x.go".
func pathOf(file string) string { return file[strings.LastIndex(file, " ")+1:] }

// listedPackage is a package as `go list` describes it. Export is the file with the package's exported types.
type listedPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// goPackages are the packages of the programs and their dependencies, by import path.
type goPackages struct {
	all      map[string]listedPackage
	files    *token.FileSet
	importer types.Importer
}

// listPackages builds the packages of all programs, and lists them.
func listPackages(t *testing.T) *goPackages {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles",
		"./order", "./stock", "./payment", "./keeper")
	list.Dir, list.Stderr = root, t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	p := &goPackages{all: map[string]listedPackage{}, files: token.NewFileSet()}
	p.importer = importer.ForCompiler(p.files, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(p.all[path].Export)
	})
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var one listedPackage
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return p
		} else if err != nil {
			t.Fatalf("decode the output of go list: %v", err)
		}
		p.all[one.ImportPath] = one
	}
}

// check type-checks the package in a folder, with the given sources in place of its files.
func (p *goPackages) check(folder string, source sources) error {
	one, ok := p.all["checkout/"+folder]
	if !ok {
		return fmt.Errorf("no program contains the package %s", folder)
	}
	changed := map[string]string{}
	for file, text := range source {
		changed[pathOf(file)] = text
	}
	var parsed []*ast.File
	for _, name := range one.GoFiles {
		var text any
		if edited, ok := changed[filepath.Join(folder, name)]; ok {
			text = edited
		}
		file, err := parser.ParseFile(p.files, filepath.Join(one.Dir, name), text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
	}
	_, err := (&types.Config{Importer: p.importer}).Check(one.ImportPath, p.files, parsed, nil)
	return err
}
