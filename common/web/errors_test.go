package web

import (
	"errors"
	"fmt"
	"testing"

	"checkout/common/api"
)

func TestEveryErrorHasAStatus(t *testing.T) {
	names := map[string]bool{}
	for _, failure := range api.Errors() {
		if _, ok := statuses[failure]; !ok {
			t.Errorf("%s has no status", failure.Name)
		}
		if names[failure.Name] {
			t.Errorf("two errors have the name %s", failure.Name)
		}
		names[failure.Name] = true
	}
	if len(statuses) != len(names) {
		t.Errorf("%d errors have a status, and package api declares %d", len(statuses), len(names))
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
