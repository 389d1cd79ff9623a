package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/list"
	"checkout/common/web"
)

// paymentRecord is one payment in the history of a user.
type paymentRecord struct {
	Kind       string `json:"kind"` // byCheckout or byPayment
	OrderID    string `json:"order_id"`
	Amount     int64  `json:"amount"`
	Status     string `json:"status"`                // PAID, REFUNDING or CANCELLED
	PaidAt     int64  `json:"paid_at,omitempty"`     // Unix ms; 0 for a direct payment, or if unknown
	RefundedAt int64  `json:"refunded_at,omitempty"` // Unix ms; 0 for a direct payment, if not refunded, or if unknown
}

// Kinds of payments.
const (
	byCheckout = "checkout"
	byPayment  = "direct"
)

// directSuffix is the last byte of a direct payment's name. The name of a payment is its order ID; for a direct
// payment, directSuffix follows. The history is sorted by name, and cursors contain names. directSuffix is the smallest
// byte, so that the names of direct payments have the same byte order as their order IDs.
const directSuffix = "\x00"

// isPaymentName reports whether a cursor may contain this name: an ID, or any text followed by directSuffix. Any text
// is possible because the order of a direct payment need not exist.
func isPaymentName(name string) bool {
	order, direct := strings.CutSuffix(name, directSuffix)
	return list.IsID(name) || direct && order != ""
}

// history returns one page of a user's payments. list.Compare sorts the payments by name, so newer orders come first.
func (h *handlers) history(c *gin.Context) (api.List[paymentRecord], error) {
	ctx, user := c.Request.Context(), c.Param("user_id")
	page, err := web.Page(c, isPaymentName)
	if err != nil {
		return api.List[paymentRecord]{}, err
	}
	direct, err := h.users.directPayments(ctx, user, page)
	if err != nil {
		return api.List[paymentRecord]{}, err
	}
	checkouts, err := h.orders.purchases(ctx, user, page)
	return list.Merge([]list.Part[paymentRecord]{direct, checkouts}, page.Limit), err
}

// directPayments returns one page of a user's direct payments.
func (u *users) directPayments(
	ctx context.Context, id string, page list.Page,
) (part list.Part[paymentRecord], err error) {
	if _, err := u.find(ctx, id); err != nil {
		return part, err
	}
	at, err := u.Locate(id)
	if err != nil {
		return part, err
	}
	before, _ := strings.CutSuffix(page.After, directSuffix)
	keys := []string{at.Key(directPrefix + id), at.Key(indexPrefix + id)}
	reply, err := at.Run(ctx, listPaymentsScript, keys, before, page.Limit+1)
	if err != nil {
		return part, fmt.Errorf("user %s: %w", id, err)
	}
	orders, values := reply.List(0), reply.List(1)
	for i := range orders.Len() {
		name := orders.String(i) + directSuffix
		if page.After != "" && list.Compare(name, page.After) <= 0 {
			continue
		}
		record, err := directRecord(orders.String(i), values.String(i))
		if err != nil {
			return part, fmt.Errorf("user %s: %w", id, err)
		}
		part.Entries = append(part.Entries, list.Entry[paymentRecord]{ID: name, Value: record})
	}
	slices.SortFunc(part.Entries, func(a, b list.Entry[paymentRecord]) int { return list.Compare(a.ID, b.ID) })
	if len(part.Entries) > page.Limit {
		part.Entries = part.Entries[:page.Limit]
		part.Through = part.Entries[page.Limit-1].ID
	}
	part.Entries = slices.DeleteFunc(part.Entries, func(e list.Entry[paymentRecord]) bool { return e.Value.Amount == 0 })
	return part, errors.Join(reply.Err(), orders.Err(), values.Err())
}

// directRecord converts the stored value of a direct payment to a record. If the payment was not made, the amount of
// the record is 0.
func directRecord(order, value string) (paymentRecord, error) {
	if value == "" || strings.HasPrefix(value, inProgress) {
		return paymentRecord{}, nil
	}
	amount, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return paymentRecord{}, fmt.Errorf("order %s: parse direct payment %q: %w", order, value, err)
	}
	record := paymentRecord{Kind: byPayment, OrderID: order, Amount: amount, Status: api.StatePaid}
	if amount < 0 {
		record.Amount, record.Status = -amount, api.StateCancelled
	}
	return record, nil
}

// The method "purchases" returns one page of the orders that a user has paid by checkout.
func (o *orders) purchases(
	ctx context.Context, user string, page list.Page,
) (part list.Part[paymentRecord], err error) {
	request := api.PurchasesRequest{UserID: user, Limit: page.Limit}
	if page.After != "" {
		request.Cursor = list.Cursor(page.After)
	}
	var found api.Purchases
	if err := o.peer.Call(ctx, "/internal/orders", request, &found); err != nil {
		return part, fmt.Errorf("user %s: list paid orders: %w", user, err)
	}
	if found.Unavailable {
		return part, fmt.Errorf("user %s: list paid orders: a shard is unavailable: %w", user, api.Unavailable)
	}
	for _, order := range found.Data {
		part.Entries = append(part.Entries, list.Entry[paymentRecord]{ID: order.OrderID, Value: paymentRecord{
			Kind: byCheckout, OrderID: order.OrderID, Amount: order.TotalCost, Status: order.Status,
			PaidAt: order.PaidAt, RefundedAt: order.RefundedAt,
		}})
	}
	if found.HasMore {
		part.Through, err = list.ParseCursor(found.NextCursor, list.IsID)
	}
	return part, err
}
