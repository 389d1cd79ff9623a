package main

import (
	"context"
	"sync"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/peer"
	"checkout/common/trace"
	"checkout/common/web"
)

// server is what the routes need.
type server struct {
	machine    string // "i/N"
	store      *store
	catalogue  *catalogue
	co         *coordinator
	canceller  *canceller
	mint       *cluster.Minter
	allowBatch bool
	editable   bool                    // whether the console offers to change anything
	answered   func() map[string]int64 // public requests, by status
}

// routes are all routes of the service. The gateway strips the prefix /orders and knows the public door only.
func (s *server) routes(public, internal gin.IRouter) {
	public.GET("/", web.JSON(s.hello))
	public.GET("/ping", web.JSON(s.ping))
	public.GET("/overview", web.JSON(s.overview))
	public.POST("/create/:user_id", web.Idempotent(s.create))
	public.DELETE("/remove/:order_id", web.Idempotent(s.remove))
	public.GET("/find/:order_id", web.JSON(s.find))
	public.POST("/addItem/:order_id/:item_id", web.Idempotent(s.addItem))
	public.POST("/addItem/:order_id/:item_id/:quantity", web.Idempotent(s.addItem))
	public.DELETE("/removeItem/:order_id/:item_id", web.Idempotent(s.removeItem))
	public.DELETE("/removeItem/:order_id/:item_id/:quantity", web.Idempotent(s.removeItem))
	public.POST("/checkout/:order_id", web.JSON(s.checkout))
	public.POST("/batch_init/:n/:n_items/:n_users/:item_price", web.JSON(s.batchInit))
	siteRoutes(public)

	internal.GET(peer.ShardMapPath, web.JSON(s.placement))
	internal.POST("/internal/payments", web.JSON(s.payments))
	internal.POST("/internal/cancel", web.JSON(s.cancel))
}

func (s *server) hello(*gin.Context) (api.Message, error) {
	return api.Message{Msg: "order service"}, nil
}

func (s *server) ping(*gin.Context) (api.Ping, error) {
	return api.Ping{Service: service, Instance: s.machine, Shards: s.store.db.States()}, nil
}

func (s *server) placement(*gin.Context) (api.ShardMap, error) {
	return api.ShardMap{Service: service, Shards: len(s.store.db.Shards()), Modulus: s.store.db.Modulus()}, nil
}

func (s *server) checkout(c *gin.Context) (checkedOut, error) {
	id := c.Param("order_id")
	if err := s.co.checkout(c.Request.Context(), id, c.GetHeader(requestHeader)); err != nil {
		return checkedOut{}, err
	}
	return checkedOut{OrderID: id, Paid: true}, nil
}

// checkedOut is the answer to a checkout that is paid.
type checkedOut struct {
	OrderID string `json:"order_id"`
	Paid    bool   `json:"paid"`
}

func (s *server) payments(c *gin.Context) ([]api.Purchase, error) {
	return each(c, s.canceller.payment)
}

func (s *server) cancel(c *gin.Context) ([]api.OrderPayment, error) {
	return each(c, s.canceller.cancel)
}

// each answers every question of an internal message at the same time; a caller that leaves cancels nothing.
func each[Answer any](c *gin.Context, answer func(context.Context, api.Cancel) Answer) ([]Answer, error) {
	asked, err := web.Body[[]api.Cancel](c)
	if err != nil {
		return nil, err
	}
	ctx := context.WithoutCancel(c.Request.Context())
	answers := make([]Answer, len(asked))
	var working sync.WaitGroup
	for i, ask := range asked {
		working.Go(func() {
			within, span := trace.BeginMessage(ctx, i, c.FullPath())
			answers[i] = answer(within, ask)
			span.End(nil)
		})
	}
	working.Wait()
	return answers, nil
}
