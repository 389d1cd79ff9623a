package web

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/list"
)

func query(raw string) *gin.Context {
	return &gin.Context{Request: &http.Request{URL: &url.URL{RawQuery: raw}}}
}

func TestPage(t *testing.T) {
	for raw, want := range map[string]list.Page{
		"": {Limit: 20}, "limit=1": {Limit: 1}, "limit=100&other=": {Limit: 100},
		"cursor=" + list.Cursor("42") + "&limit=7": {After: "42", Limit: 7},
	} {
		if got, err := Page(query(raw), list.IsID); got != want || err != nil {
			t.Errorf("query %q: got %+v, %v; want %+v", raw, got, err, want)
		}
	}
	for raw, want := range map[string]*api.Error{
		"limit=": api.InvalidNumber, "limit=0": api.InvalidNumber, "limit=101": api.InvalidNumber,
		"limit=%2B1": api.InvalidNumber, "limit=1.0": api.InvalidNumber,
		"limit=1&limit=1": api.BadRequest, "cursor=": api.BadRequest, "cursor=42": api.BadRequest,
		"cursor=" + list.Cursor("x"): api.BadRequest, "cursor=%zz": api.BadRequest, "limit=1;cursor=2": api.BadRequest,
	} {
		if got, err := Page(query(raw), list.IsID); !errors.Is(err, want) {
			t.Errorf("query %q: got %+v, %v; want %s", raw, got, err, want.Name)
		}
	}
}

// FuzzPage checks that Page accepts only limits in range and valid cursors, and never panics.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{"", "limit=7&cursor=NDI", "cursor=%zz", "limit=1&limit=2", "cursor=NDI%3D", "a;b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		page, err := Page(query(raw), list.IsID)
		switch {
		case err != nil && Status(err) != http.StatusBadRequest:
			t.Errorf("query %q: got %v, want an error with status 400", raw, err)
		case err == nil && (page.Limit < 1 || page.Limit > list.MaxLimit || page.After != "" && !list.IsID(page.After)):
			t.Errorf("query %q: got %+v, want a valid limit and ID", raw, page)
		}
	})
}

func TestListIsDisabled(t *testing.T) {
	s := NewServer(false)
	handle := func(*gin.Context) (api.List[int], error) { return api.List[int]{Data: []int{}}, nil }
	s.Public.GET("/on", List(true, handle))
	s.Public.GET("/off", List(false, handle))
	if w := send(s.Public, "GET", "/on", ""); w.Code != 200 || w.Body.String() != `{"data":[],"has_more":false}` {
		t.Errorf("lists enabled: got %d %s, want 200 and an empty list", w.Code, w.Body)
	}
	if w := send(s.Public, "GET", "/off", ""); w.Code != 404 || problem(t, w).Type != api.ListsDisabled.Type() {
		t.Errorf("lists disabled: got %d %s, want 404 lists-disabled", w.Code, w.Body)
	}
}
