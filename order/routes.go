package main

import (
	"strings"

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

// The method "routes" adds the routes that package service does not add. The gateway strips the prefix /orders and
// sends requests only to the public port.
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
	public.GET("/list", web.List(h.Config.Lists, h.list))
	public.GET("/history/:order_id", web.List(h.Config.Lists, h.history))
	site.Routes(public, h.Config.Demo.URL)

	internal.POST("/internal/payments", web.JSON(h.payments))
	internal.POST("/internal/orders", web.JSON(h.purchases))
	internal.POST("/internal/cancel", web.JSON(h.cancel))
}

// prefix is the start of each API path of the order service. The gateway strips this prefix.
const prefix = "/orders"

// clientPath returns the path that the client has sent to the gateway. The argument is the path that the gateway has
// forwarded.
func clientPath(path string) string {
	if page, ok := strings.CutPrefix(path, site.Prefix+"/"); ok {
		return "/" + page
	}
	return prefix + path
}

func (h *handlers) root(*gin.Context) (api.Message, error) {
	return api.Message{Msg: "order service"}, nil
}
