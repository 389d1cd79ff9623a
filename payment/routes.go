package main

import (
	"github.com/gin-gonic/gin"

	"checkout/common/participant"
	"checkout/common/service"
	"checkout/common/web"
)

// handlers are the HTTP handlers of the payment service.
type handlers struct {
	*service.Service
	users     *users
	orders    *orders
	batchInit bool // whether batch_init may overwrite data
}

// The method "routes" adds the routes that package service does not add. The gateway strips the prefix /payment and
// sends requests only to the public port.
func (h *handlers) routes(public, internal gin.IRouter) {
	public.GET("/", web.JSON(h.Ping))
	public.POST("/create_user", web.Idempotent(h.create))
	public.GET("/find_user/:user_id", web.JSON(h.find))
	public.POST("/add_funds/:user_id/:amount", web.Idempotent(h.addFunds))
	public.GET("/list", web.List(h.Config.Lists, h.list))
	public.GET("/history/:user_id", web.List(h.Config.Lists, h.history))
	// Gin allows only one parameter name at each position of a path. The second parameter is an amount in the first of
	// these two routes, and an order ID in the second.
	public.POST("/pay/:user_id/:amount_or_order_id", web.Idempotent(h.pay))
	public.POST("/pay/:user_id/:amount_or_order_id/:amount", web.Idempotent(h.payOrder))
	public.POST("/cancel/:user_id/:order_id", web.JSON(h.cancel))
	public.GET("/status/:user_id/:order_id", web.JSON(h.status))
	public.POST("/status/:user_id/:order_id", web.JSON(h.status))
	public.POST("/batch_init/:n/:starting_money", web.JSON(h.initBatch))

	reservations := participant.NewReservations(h.Cluster, creditPrefix)
	reservations.RefusePaidOrders(directPrefix)
	reservations.Routes(internal)
	h.Collect(reservations)
}
