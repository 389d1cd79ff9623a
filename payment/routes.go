package main

import (
	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/participant"
	"checkout/common/peer"
	"checkout/common/web"
)

// service is the name of this service.
const service = "payment"

type server struct {
	db           *cluster.Cluster
	users        *store
	orders       *orders
	machine      string // "i/N"
	batchAllowed bool   // whether batch_init may overwrite data
}

func (s *server) routes(srv *web.Server) {
	r := srv.Public
	r.GET("/", web.JSON(s.ping))
	r.GET("/ping", web.JSON(s.ping))
	r.GET("/overview", web.JSON(s.overview(srv)))
	r.POST("/create_user", web.Idempotent(s.create))
	r.GET("/find_user/:user_id", web.JSON(s.find))
	r.POST("/add_funds/:user_id/:amount", web.Idempotent(s.addFunds))
	// One place of a path has one name in Gin: here it is an amount where it is the last, and an order id where it is not.
	r.POST("/pay/:user_id/:amount_or_order_id", web.Idempotent(s.pay))
	r.POST("/pay/:user_id/:amount_or_order_id/:amount", web.Idempotent(s.payOrder))
	r.POST("/cancel/:user_id/:order_id", web.JSON(s.cancel))
	r.GET("/status/:user_id/:order_id", web.JSON(s.status))
	r.POST("/status/:user_id/:order_id", web.JSON(s.status))
	r.POST("/batch_init/:n/:starting_money", web.JSON(s.batchInit))

	r = srv.Internal
	participant.NewStore(s.db, creditPrefix).Routes(r)
	r.GET(peer.ShardMapPath, web.JSON(s.placement))
	srv.HandleReadiness(s.missing, func() bool { return s.db.Probed() && s.orders.peer.Probed() })
	srv.HandleMetrics(service, s.db, s.orders.peer)
}

func (s *server) ping(*gin.Context) (api.Ping, error) {
	return api.Ping{Service: service, Instance: s.machine, Shards: s.db.States()}, nil
}

// overview tells people how this machine stands.
func (s *server) overview(srv *web.Server) func(*gin.Context) (api.Overview, error) {
	return func(*gin.Context) (api.Overview, error) {
		return api.Overview{Service: service, Instance: s.machine, Shards: s.db.States(), Modulus: s.db.Modulus(), Requests: srv.Responses()}, nil
	}
}

func (s *server) placement(*gin.Context) (api.ShardMap, error) {
	return api.ShardMap{Service: service, Shards: len(s.db.Shards()), Modulus: s.db.Modulus()}, nil
}

// missing names what is not there for the service to be ready.
func (s *server) missing() []string {
	missing := s.db.Unavailable()
	if problem := s.orders.peer.Unavailable(); problem != "" {
		missing = append(missing, "order: "+problem)
	}
	return missing
}
