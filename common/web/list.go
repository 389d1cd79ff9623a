package web

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/list"
)

// List is like JSON, but each request fails with api.ListsDisabled if lists are not enabled.
func List[T any](enabled bool, handle func(*gin.Context) (T, error)) gin.HandlerFunc {
	return JSON(func(c *gin.Context) (T, error) {
		if !enabled {
			var zero T
			return zero, api.ListsDisabled
		}
		return handle(c)
	})
}

// Page parses the query parameters "limit" and "cursor". The last argument reports whether an ID may be in a cursor of
// this list. For example, list.IsID accepts the ID of any object.
func Page(c *gin.Context, valid func(id string) bool) (list.Page, error) {
	page := list.Page{Limit: list.DefaultLimit}
	limit, hasLimit, err := Query(c, "limit")
	if err != nil {
		return list.Page{}, err
	}
	if hasLimit {
		n, err := parseInt("limit", limit, 1, list.MaxLimit)
		if err != nil {
			return list.Page{}, err
		}
		page.Limit = int(n)
	}
	cursor, hasCursor, err := Query(c, "cursor")
	if err == nil && hasCursor {
		page.After, err = list.ParseCursor(cursor, valid)
	}
	return page, err
}

// Query returns a query parameter and whether the request has it. The error wraps api.BadRequest if the request has
// the parameter more than once, or if the query is malformed.
func Query(c *gin.Context, name string) (value string, found bool, err error) {
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return "", false, fmt.Errorf("query: %s: %w", strconv.QuoteToASCII(err.Error()), api.BadRequest)
	}
	values := query[name]
	if len(values) > 1 {
		return "", false, fmt.Errorf("%d query parameters named %s, want one: %w", len(values), name, api.BadRequest)
	}
	return query.Get(name), len(values) > 0, nil
}
