package redisdb

import (
	"context"
	"fmt"
	"log/slog"
)

// quiet takes what go-redis says of its connections: the shards' own lines tell what matters, once.
type quiet struct{}

// Printf implements redis' logging.
func (quiet) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, "go-redis", "said", fmt.Sprintf(format, v...))
}
