package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/service/servicetest"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/test/contract"
)

// instance is an instance of payment that calls a fake order service.
type instance struct {
	*servicetest.Instance
	order *fakeOrder
}

func newInstance(t *testing.T, shards int, others ...string) *instance {
	t.Helper()
	fake := newFakeOrder(t)
	i := servicetest.New(t, definition, shards, func(c *env.Config) { c.OrderPeers = append(others, fake.address) })
	testredis.Eventually(t, "the order service is available", func() bool { return len(i.Unavailable()) == 0 })
	return &instance{i, fake}
}

// create creates a user with some credit and returns the ID.
func (payment *instance) create(t *testing.T, credit int64) string {
	t.Helper()
	w := payment.Call("POST", "/create_user")
	var response created
	if err := json.Unmarshal(w.Body.Bytes(), &response); w.Code != 200 || err != nil {
		t.Fatalf("POST /create_user: got %d %s, want 200 and an ID", w.Code, w.Body)
	}
	if credit > 0 {
		payment.Want(t, "POST", fmt.Sprintf("/add_funds/%s/%d", response.UserID, credit), `{"done":true}`)
	}
	return response.UserID
}

// wantCredit checks the credit of a user.
func (payment *instance) wantCredit(t *testing.T, id string, want int64) {
	t.Helper()
	payment.Want(t, "GET", "/find_user/"+id, fmt.Sprintf(`{"user_id":%q,"credit":%d}`, id, want))
}

func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	contract.CheckRoutes(t, definition.Name, newInstance(t, 1).Public.Routes())
}

func TestUsersAreSpreadOverTheShards(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 2)
	seen := map[int]bool{}
	for range 4 {
		id := payment.create(t, 0)
		at, ok := shard.Of(id)
		if !ok {
			t.Fatalf("create: got the ID %s, want a minted one", id)
		}
		seen[at] = true
		payment.wantCredit(t, id, 0)
		payment.Want(t, "POST", "/add_funds/"+id+"/1000000000000", `{"done":true}`)
		payment.Want(t, "POST", "/pay/"+id+"/999999999999", fmt.Sprintf(`{"msg":"user %s paid 999999999999"}`, id))
		payment.wantCredit(t, id, 1)
		payment.Refuse(t, "POST", "/pay/"+id+"/2", api.InsufficientCredit)
	}
	if len(seen) != 2 {
		t.Errorf("4 users are on %d of 2 shards, want both", len(seen))
	}
	payment.Want(t, "GET", "/",
		`{"service":"payment","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
	payment.Want(t, "GET", "/ping",
		`{"service":"payment","machine":"1/1","shards":[{"shard":0,"up":true},{"shard":1,"up":true}]}`)
}

func TestCreditAboveTheLimitIsRejected(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	id := payment.create(t, 10)
	payment.order.reply(api.NotPaid)
	payment.Want(t, "POST", "/pay/"+id+"/A/10", paidMessage(id, 10))
	if err := payment.Shards[0].Client.Set(t.Context(), "{p0}u:"+id, int64(api.MaxBalance-5), 0).Err(); err != nil {
		t.Fatal(err)
	}
	payment.order.requests()
	payment.Refuse(t, "POST", "/add_funds/"+id+"/6", api.BalanceLimit)
	payment.Refuse(t, "POST", "/cancel/"+id+"/A", api.BalanceLimit)
	if requests := payment.order.requests(); len(requests) != 0 {
		t.Errorf("a rejected cancellation has sent %v to the order service, want nothing", requests)
	}
	payment.Want(t, "POST", "/add_funds/"+id+"/5", `{"done":true}`)
	payment.wantCredit(t, id, api.MaxBalance)
	payment.Refuse(t, "POST", "/add_funds/"+id+"/1", api.BalanceLimit)
}

func TestInvalidInputChangesNothing(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 2)
	payment.order.reply(api.NotPaid)
	id := payment.create(t, 10)
	payment.Want(t, "POST", "/pay/"+id+"/A/4", paidMessage(id, 4))
	payment.order.reply(api.Paid)
	payment.order.requests()
	payment.Want(t, "POST", "/batch_init/3/7", `{"msg":"Batch init for users successful"}`)
	for _, n := range append([]string{"0", "00"}, servicetest.NotNumbers...) {
		payment.Refuse(t, "POST", "/add_funds/"+id+"/"+n, api.InvalidNumber)
		payment.Refuse(t, "POST", "/pay/"+id+"/"+n, api.InvalidNumber)
		payment.Refuse(t, "POST", "/pay/"+id+"/A/"+n, api.InvalidNumber)
		payment.Refuse(t, "POST", "/pay/"+id+"/B/"+n, api.InvalidNumber)
		payment.Refuse(t, "POST", "/batch_init/"+n+"/5", api.InvalidNumber)
	}
	for _, n := range servicetest.NotNumbers {
		payment.Refuse(t, "POST", "/batch_init/3/"+n, api.InvalidNumber)
	}
	payment.Refuse(t, "POST", "/batch_init/10001/5", api.InvalidNumber)
	payment.Refuse(t, "POST", "/pay/"+id+"/"+strings.Repeat("x", api.MaxIDLength+1)+"/1", api.BadRequest)
	payment.Refuse(t, "POST", "/pay/"+id+"/%ff/1", api.BadRequest)
	for _, other := range servicetest.NotIDs(id, "{p0}u:0") {
		payment.Refuse(t, "GET", "/find_user/"+other, api.UserNotFound)
		payment.Refuse(t, "POST", "/add_funds/"+other+"/1", api.UserNotFound)
		payment.Refuse(t, "POST", "/pay/"+other+"/1", api.UserNotFound)
		payment.Refuse(t, "POST", "/pay/"+other+"/A/1", api.UserNotFound)
		payment.Refuse(t, "POST", "/cancel/"+other+"/A", api.UserNotFound)
		payment.Refuse(t, "GET", "/status/"+other+"/A", api.UserNotFound)
		payment.Refuse(t, "POST", "/status/"+other+"/A", api.UserNotFound)
	}
	if requests := payment.order.requests(); len(requests) != 0 {
		t.Errorf("requests to the order service about missing users: got %v, want none", requests)
	}
	routes := map[string]string{
		"/": "GET", "/ping": "GET", "/create_user": "POST", "/find_user/" + id: "GET", "/add_funds/" + id + "/1": "POST",
		"/pay/" + id + "/1": "POST", "/pay/" + id + "/A/1": "POST", "/cancel/" + id + "/A": "POST",
		"/status/" + id + "/A": "GET POST", "/batch_init/1/1": "POST",
	}
	for path, allowed := range routes {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} {
			if !strings.Contains(allowed, method) {
				payment.Refuse(t, method, path, api.WrongMethod)
			}
		}
		if path != "/" {
			payment.Refuse(t, "POST", path+"/", api.RouteNotFound)
		}
	}
	for _, path := range []string{
		"/find_user", "/find_user/", "/add_funds/" + id, "/add_funds/" + id + "/", "/pay/" + id, "/pay/" + id + "/",
		"/pay/" + id + "/A/1/1", "/cancel/" + id, "/cancel/" + id + "/", "/status/" + id, "/batch_init/1", "/create_user/1",
		"/internal/reserve", "/internal/placement", "/healthz", "/readyz", "/debug/pprof/", "/drop-database", "/redis-exec",
	} {
		payment.Refuse(t, "POST", path, api.RouteNotFound)
	}
}

func TestBatchInitOverwritesUsers(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 2)
	payment.order.reply(api.OrderMissing)
	payment.Want(t, "POST", "/batch_init/2503/7", `{"msg":"Batch init for users successful"}`)
	for _, id := range []string{"0", "1", "999", "1000", "2502"} {
		payment.wantCredit(t, id, 7)
	}
	payment.Refuse(t, "GET", "/find_user/2503", api.UserNotFound)
	for i, s := range payment.Shards {
		users, err := s.Client.Keys(t.Context(), fmt.Sprintf("{p%d}u:*", i)).Result()
		if err != nil || len(users) != 1252-i {
			t.Errorf("shard %d holds %d users, error %v; want %d", i, len(users), err, 1252-i)
		}
	}
	payment.Want(t, "POST", "/pay/1/A/3", paidMessage("1", 3))
	index := payment.Shards[1].Client
	if err := index.Do(t.Context(), "ZADD", "{p1}"+indexPrefix+"1", 0, "A").Err(); err != nil {
		t.Fatal(err)
	}
	payment.Want(t, "POST", "/batch_init/2/0", `{"msg":"Batch init for users successful"}`)
	if n := index.Exists(t.Context(), "{p1}"+indexPrefix+"1").Val(); n != 0 {
		t.Error("batch_init has kept user 1's index of direct payments, want it deleted")
	}
	payment.wantCredit(t, "0", 0)
	payment.wantCredit(t, "1", 0)
	payment.wantCredit(t, "2", 7)
	payment.Refuse(t, "POST", "/cancel/1/A", api.OrderNotFound) // batch_init has deleted the payment
	forbidden := func(c *env.Config) { c.BatchInit = false }
	servicetest.New(t, definition, 1, forbidden).Refuse(t, "POST", "/batch_init/2/1", api.BatchDisabled)
}

// Requests for a shard that is down fail with 503 and Retry-After. All other requests succeed.
func TestDownShardFailsOnlyItsRequests(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 2)
	payment.order.reply(api.Paid)
	payment.Want(t, "POST", "/batch_init/2/7", `{"msg":"Batch init for users successful"}`)
	payment.KillShard(t, 1)
	for path, method := range map[string]string{"/find_user/1": "GET", "/add_funds/1/1": "POST", "/pay/1/1": "POST",
		"/pay/1/A/1":  "POST",
		"/cancel/1/A": "POST", "/status/1/A": "GET", "/batch_init/2/7": "POST"} {
		payment.WantUnavailable(t, method, path)
	}
	if requests := payment.order.requests(); len(requests) != 0 {
		t.Errorf("requests to the order service before the direct payment is known: got %v, want none", requests)
	}
	payment.wantCredit(t, "0", 7)
	for range 4 {
		if at, _ := shard.Of(payment.create(t, 0)); at != 0 {
			t.Errorf("a user was created on shard %d, which is down", at)
		}
	}
}

func TestInternalPortReportsShardMapAndReadiness(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	payment.WantInternal(t, "/internal/placement", 200,
		`{"service":"payment","shards":1,"modulus":1,"identities":["`+payment.Cluster.Identities()[0]+`"]}`)
	payment.WantInternal(t, "/readyz", 200, `{"ready":true}`)
	payment.order.server.Close()
	testredis.Eventually(t, "the order service is unavailable", func() bool {
		w := payment.CallInternal("GET", "/readyz", "")
		return w.Code == 503 && strings.HasPrefix(w.Body.String(), `{"ready":false,"missing":["order: `)
	})
}
