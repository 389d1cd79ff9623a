package requestid_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"checkout/common/requestid"
)

func Example() {
	id := requestid.Accept("a1b2", requestid.MaxLength) // "a1b2" comes from the header requestid.Header
	ctx := requestid.NewContext(context.Background(), id)
	fmt.Println(requestid.FromContext(ctx))

	log := slog.New(requestid.LogHandler(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // without the time, the output is the same in each run
			}
			return a
		},
	})))
	log.InfoContext(ctx, "order created")
	// Output:
	// a1b2
	// level=INFO msg="order created" request_id=a1b2
}

func ExampleJoin() {
	fmt.Println(requestid.Join([]string{"a1b2", "c3d4"}))
	// Output: a1b2,c3d4
}
