package main

import (
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/list"
	"checkout/common/web"
	"checkout/order/store"
)

// list returns a page of orders. The query may select a user and a state.
func (h *handlers) list(c *gin.Context) (api.List[api.OrderSummary], error) {
	page, err := web.Page(c, list.IsID)
	if err != nil {
		return api.List[api.OrderSummary]{}, err
	}
	query, err := listQuery(c)
	if err != nil {
		return api.List[api.OrderSummary]{}, err
	}
	found, err := h.orders.List(c.Request.Context(), query, page)
	return convert(found, err, func(o store.Listed) api.OrderSummary {
		return api.OrderSummary{OrderID: o.ID, UserID: o.User, Status: o.State, TotalCost: o.Total, Pieces: o.Pieces}
	})
}

// listQuery parses the query parameters user_id and state.
func listQuery(c *gin.Context) (store.Query, error) {
	user, hasUser, err := web.Query(c, "user_id")
	if err != nil {
		return store.Query{}, err
	}
	if hasUser && (user == "" || len(user) > api.MaxIDLength) {
		return store.Query{}, fmt.Errorf("user ID of %d bytes, want 1 to %d: %w", len(user), api.MaxIDLength, api.BadRequest)
	}
	state, hasState, err := web.Query(c, "state")
	if err == nil && hasState {
		state, err = store.ParseState(state)
	}
	return store.Query{User: user, State: state}, err
}

// The method "purchases" returns one page of the orders that a user has paid by checkout. The payment service shows
// them in the user's payment history.
func (h *handlers) purchases(c *gin.Context) (api.Purchases, error) {
	request, err := web.Body[api.PurchasesRequest](c)
	if err != nil {
		return api.Purchases{}, err
	}
	page := list.Page{Limit: request.Limit}
	if request.Cursor != "" { // accept any name: the cursor may name the order of a direct payment, which may have any ID
		page.After, err = list.ParseCursor(request.Cursor, func(name string) bool { return name != "" })
	}
	if err == nil && (request.UserID == "" || request.Limit < 1 || request.Limit > list.MaxLimit) {
		err = fmt.Errorf("user %q, limit %d: want a user and a limit from 1 to %d: %w",
			request.UserID, request.Limit, list.MaxLimit, api.BadRequest)
	}
	if err != nil {
		return api.Purchases{}, err
	}
	found, err := h.orders.List(c.Request.Context(), store.Query{User: request.UserID, Purchases: true}, page)
	if errors.Is(err, api.Unavailable) {
		return api.Purchases{Unavailable: true}, nil
	}
	orders, err := convert(found, err, func(o store.Listed) api.PaidOrder {
		return api.PaidOrder{
			OrderID: o.ID, Status: o.State, TotalCost: o.Total, PaidAt: o.Paid, RefundedAt: o.Refunded,
		}
	})
	return api.Purchases{List: orders}, err
}

// convert calls one(object) for each object of a page, and returns a page with the results. It returns err unchanged.
func convert[From, To any](page api.List[From], err error, one func(From) To) (api.List[To], error) {
	converted := api.List[To]{Data: make([]To, len(page.Data)), HasMore: page.HasMore, NextCursor: page.NextCursor}
	for i, object := range page.Data {
		converted.Data[i] = one(object)
	}
	return converted, err
}
