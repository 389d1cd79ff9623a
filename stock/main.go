package main

import (
	"context"
	"io"

	"checkout/common/participant"
	"checkout/common/service"
)

func main() { service.Main(run) }

// run runs an instance of the service, or another command such as adopt-shard. See service.Definition.Run.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	return definition.Run(ctx, args, getenv, stdout)
}

var definition = service.Definition{Name: "stock", Prefix: "/stock", Scripts: participant.Scripts, Setup: setup}

func setup(s *service.Service) {
	h := &handlers{Service: s, items: newItems(s), batchInit: s.Config.BatchInit}
	h.routes(s.Public, s.Internal)
}
