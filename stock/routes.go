package main

import (
	"github.com/gin-gonic/gin"

	"checkout/common/participant"
	"checkout/common/service"
	"checkout/common/web"
)

// handlers are the HTTP handlers of the stock service.
type handlers struct {
	*service.Service
	items     *items
	batchInit bool // whether batch_init may overwrite data
}

// The method "routes" adds the routes that package service does not add. The gateway strips the prefix /stock and sends
// requests only to the public port.
func (h *handlers) routes(public, internal gin.IRouter) {
	public.GET("/", web.JSON(h.Ping))
	public.POST("/item/create/:price", web.Idempotent(h.create))
	public.GET("/find/:item_id", web.JSON(h.find))
	public.GET("/list", web.List(h.Config.Lists, h.list))
	public.POST("/add/:item_id/:amount", web.Idempotent(h.add))
	public.POST("/subtract/:item_id/:amount", web.Idempotent(h.subtract))
	public.POST("/batch_init/:n/:starting_stock/:item_price", web.JSON(h.initBatch))

	reservations := participant.NewReservations(h.Cluster, stockPrefix)
	reservations.Routes(internal)
	h.Collect(reservations)
	internal.POST("/internal/prices", web.JSON(h.prices))
}
