package main

import (
	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/service"
	"checkout/common/web"
	"checkout/order/saga"
	"checkout/order/site"
	"checkout/order/store"
)

// handlers are the HTTP handlers of the order service.
type handlers struct {
	*service.Service
	orders    *store.Store
	prices    *priceCache
	saga      *saga.Coordinator
	batchInit bool // whether batch_init may overwrite data
	editable  bool // whether the console may change data
}

// routes adds every route that only the order service has. The gateway strips the prefix /orders and sends requests
// only to the public port.
func (h *handlers) routes(public, internal gin.IRouter) {
	public.GET("/", web.JSON(h.root))
	public.POST("/create/:user_id", web.Idempotent(h.create))
	public.DELETE("/remove/:order_id", web.Idempotent(h.remove))
	public.GET("/find/:order_id", web.JSON(h.find))
	public.POST("/addItem/:order_id/:item_id", web.Idempotent(h.addItem))
	public.POST("/addItem/:order_id/:item_id/:quantity", web.Idempotent(h.addItem))
	public.DELETE("/removeItem/:order_id/:item_id", web.Idempotent(h.removeItem))
	public.DELETE("/removeItem/:order_id/:item_id/:quantity", web.Idempotent(h.removeItem))
	public.POST("/checkout/:order_id", web.JSON(h.checkout))
	public.POST("/batch_init/:n/:n_items/:n_users/:item_price", web.JSON(h.initBatch))
	site.Routes(public)

	internal.POST("/internal/payments", web.JSON(h.payments))
	internal.POST("/internal/cancel", web.JSON(h.cancel))
}

func (h *handlers) root(*gin.Context) (api.Message, error) {
	return api.Message{Msg: "order service"}, nil
}
