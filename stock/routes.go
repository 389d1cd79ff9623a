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
const service = "stock"

type server struct {
	db           *cluster.Cluster
	items        *store
	machine      string // "i/N"
	batchAllowed bool   // whether batch_init may overwrite data
}

func (s *server) routes(srv *web.Server) {
	r := srv.Public
	r.GET("/", web.JSON(s.ping))
	r.GET("/ping", web.JSON(s.ping))
	r.GET("/overview", web.JSON(s.overview(srv)))
	r.POST("/item/create/:price", web.Idempotent(s.create))
	r.GET("/find/:item_id", web.JSON(s.find))
	r.POST("/add/:item_id/:amount", web.Idempotent(s.add))
	r.POST("/subtract/:item_id/:amount", web.Idempotent(s.subtract))
	r.POST("/batch_init/:n/:starting_stock/:item_price", web.JSON(s.batchInit))

	r = srv.Internal
	participant.NewStore(s.db, piecesPrefix).Routes(r)
	r.POST("/internal/prices", web.JSON(s.prices))
	r.GET(peer.ShardMapPath, web.JSON(s.placement))
	srv.HandleReadiness(s.db.Unavailable, s.db.Probed)
	srv.HandleMetrics(service, s.db)
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
