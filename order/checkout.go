package main

import (
	"context"
	"sync"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/trace"
	"checkout/common/web"
	"checkout/order/saga"
)

// paidOrder is the response to a checkout that has paid the order.
type paidOrder struct {
	OrderID string `json:"order_id"`
	Paid    bool   `json:"paid"`
}

func (h *handlers) checkout(c *gin.Context) (paidOrder, error) {
	ctx, id := c.Request.Context(), c.Param("order_id")
	request := saga.Request{
		Name:      c.GetHeader(web.CheckoutHeader),
		Connected: func() bool { return web.ClientConnected(ctx) },
	}
	if err := h.saga.Checkout(ctx, id, request); err != nil {
		return paidOrder{}, err
	}
	return paidOrder{OrderID: id, Paid: true}, nil
}

func (h *handlers) payments(c *gin.Context) ([]api.Purchase, error) {
	return forEach(c, h.saga.Payment)
}

func (h *handlers) cancel(c *gin.Context) ([]api.OrderPayment, error) {
	return forEach(c, h.saga.Cancel)
}

// forEach decodes the entries of an internal request and calls handle(entry) concurrently for all of them. It continues
// even if the caller disconnects, because the entries belong to several client requests.
func forEach[Result any](c *gin.Context, handle func(context.Context, api.Cancel) Result) ([]Result, error) {
	entries, err := web.Entries[api.Cancel](c, "orders")
	if err != nil {
		return nil, err
	}
	ctx := context.WithoutCancel(c.Request.Context())
	results := make([]Result, len(entries))
	var working sync.WaitGroup
	for i, entry := range entries {
		working.Go(func() {
			ctx, span := trace.BeginMessage(ctx, i, c.FullPath())
			results[i] = handle(ctx, entry)
			span.End(nil)
		})
	}
	working.Wait()
	return results, nil
}
