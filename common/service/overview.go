package service

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/cluster"
)

// overview returns the overview for the public port. If the console is disabled, the overview has no order IDs.
func (s *Service) overview(c *gin.Context) (api.Overview, error) {
	o, err := s.fullOverview(c)
	if s.Config.Console {
		if demo := s.Config.Demo; demo.URL != "" {
			o.Demo = &api.Demo{URL: demo.URL, Token: demo.Token}
		}
		return o, err
	}
	if o.Saga != nil {
		o.Saga.Undecided = []api.Undecided{}
	}
	for i, e := range o.Events {
		if e.OrderID != "" {
			o.Events[i].OrderID, o.Events[i].Detail = "", strings.ReplaceAll(e.Detail, e.OrderID, "…")
		}
	}
	return o, err
}

// overviewOf returns the overview if this instance has the number in the path. The gateway routes the request to that
// instance. Without the gateway, the request may reach another instance, which returns api.RouteNotFound.
func (s *Service) overviewOf(c *gin.Context) (api.Overview, error) {
	if number := c.Param("instance"); number != strconv.Itoa(s.Config.Instance) {
		return api.Overview{}, fmt.Errorf("%s: this is instance %s: %w",
			s.ClientPath(c.Request.URL.EscapedPath()), s.Instance(), api.RouteNotFound)
	}
	return s.overview(c)
}

// fullOverview returns the overview for the monitoring port. The query parameter "after" is a sequence number that
// selects events; see events.Ring.After.
func (s *Service) fullOverview(c *gin.Context) (api.Overview, error) {
	after, _ := strconv.ParseInt(c.Query("after"), 10, 64) // without a valid number, select all events
	o := api.Overview{
		Service: s.Name, Instance: s.Instance(),
		Shards: s.Cluster.States(), Modulus: s.Cluster.Modulus(), Requests: s.Responses(),
		Incarnation: cluster.ShortIncarnation(s.Cluster.Incarnation()), StartedAt: s.started.UnixMilli(),
		Events: s.Cluster.Events().After(after),
	}
	if s.SagaOverview != nil {
		o.Saga = s.SagaOverview(c.Request.Context())
	}
	o.Now = time.Now().UnixMilli()
	return o, nil
}
