package main

import (
	"context"
	"io"

	"checkout/common/env"
	"checkout/common/participant"
	"checkout/common/service"
	"checkout/order/saga"
	"checkout/order/store"
)

func main() { service.Main(run) }

// run runs an instance of the service, or another command such as adopt-shard. See service.Definition.Run.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	return definition.Run(ctx, args, getenv, stdout)
}

var definition = service.Definition{
	Name: "order", Prefix: prefix, Peers: []env.Peer{env.Stock, env.Payment}, Scripts: store.Scripts, Setup: setup,
}

func setup(s *service.Service) {
	stock, payment := s.Peer("stock", s.Config.StockPeers), s.Peer("payment", s.Config.PaymentPeers)
	orders := store.New(s.Cluster)
	orders.Index = s.Config.Lists
	co := saga.New(orders, participant.NewClient(stock), participant.NewClient(payment))
	h := &handlers{
		Service: s, orders: orders, prices: newPriceCache(stock), saga: co,
		batchInit: s.Config.BatchInit, editable: s.Config.Console,
	}
	s.ClientPath = clientPath
	h.routes(s.Public, s.Internal)
	s.SagaOverview = h.sagaOverview
	s.Collect(co, saga.NewBacklog(orders))
	s.Background(saga.NewRecovery(co).Run)
}
