package web

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"checkout/common/api"
)

// declaredErrors returns the names of the problems that package api declares, read from its source.
func declaredErrors(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../api/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if typ, ok := literal.Type.(*ast.Ident); !ok || typ.Name != "Error" {
			return true
		}
		name, err := strconv.Unquote(literal.Elts[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if names[name] {
			t.Errorf("two errors have the name %s", name)
		}
		names[name] = true
		return true
	})
	return names
}

func TestEveryErrorHasAStatus(t *testing.T) {
	declared := declaredErrors(t)
	if len(declared) < 20 {
		t.Fatalf("found only %d errors in package api", len(declared))
	}
	for failure := range statuses {
		if !declared[failure.Name] {
			t.Errorf("%s has a status, and package api does not declare it", failure.Name)
		}
		delete(declared, failure.Name)
	}
	for name := range declared {
		t.Errorf("%s has no status", name)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 200},
		{api.ItemNotFound, 404},
		{fmt.Errorf("item 7: %w", api.ItemNotFound), 404},
		{errors.Join(errors.New("first"), api.InsufficientStock), 409},
		{errors.New("an error of no kind"), 503},
		{&api.Error{Name: "undeclared"}, 503},
	} {
		if got := Status(c.err); got != c.want {
			t.Errorf("status of %v is %d, want %d", c.err, got, c.want)
		}
	}
}
