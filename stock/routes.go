package main

import (
	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/participant"
	"checkout/common/peer"
	"checkout/common/redisdb"
	"checkout/common/web"
)

// service is the name of this service.
const service = "stock"

type server struct {
	db           *redisdb.DB
	items        *store
	machine      string // "i/N"
	batchAllowed bool   // whether batch_init may overwrite data
}

func (s *server) routes(doors *web.Doors) {
	r := doors.Public
	r.GET("/", web.JSON(s.ping))
	r.GET("/ping", web.JSON(s.ping))
	r.GET("/overview", web.JSON(s.overview(doors)))
	r.POST("/item/create/:price", web.Once(s.create))
	r.GET("/find/:item_id", web.JSON(s.find))
	r.POST("/add/:item_id/:amount", web.Once(s.add))
	r.POST("/subtract/:item_id/:amount", web.Once(s.subtract))
	r.POST("/batch_init/:n/:starting_stock/:item_price", web.JSON(s.batchInit))

	r = doors.Internal
	participant.NewStore(s.db, piecesPrefix).Routes(r)
	r.POST("/internal/prices", web.JSON(s.prices))
	r.GET(peer.PlacementPath, web.JSON(s.placement))
	doors.Ready(s.db.Missing, s.db.Heard)
	doors.Metrics(service, s.db)
}

func (s *server) ping(*gin.Context) (api.Ping, error) {
	return api.Ping{Service: service, Machine: s.machine, Shards: s.db.States()}, nil
}

// overview tells people how this machine stands.
func (s *server) overview(doors *web.Doors) func(*gin.Context) (api.Overview, error) {
	return func(*gin.Context) (api.Overview, error) {
		return api.Overview{Service: service, Machine: s.machine, Shards: s.db.States(), Modulus: s.db.Modulus(), Requests: doors.Answered()}, nil
	}
}

func (s *server) placement(*gin.Context) (api.Placement, error) {
	return api.Placement{Service: service, Shards: len(s.db.Shards()), Modulus: s.db.Modulus()}, nil
}
