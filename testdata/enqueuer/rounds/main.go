// Command rounds enqueues one task through tasks.Client. Its size is what a service pays for
// importing tasks.
package main

import (
	"context"
	"log"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/tasks"
)

func main() {
	rdb := redis.NewClient(&redis.Options{Addr: os.Args[1]})
	client, err := tasks.NewClient(tasks.ClientOptions{Redis: rdb, Keys: []byte(os.Args[2])})
	if err != nil {
		log.Fatal(err)
	}
	task := tasks.SyncPatient{Practice: "7", Patient: "4711"}
	if _, err := client.Enqueue(context.Background(), "clinic-a", task); err != nil {
		log.Fatal(err)
	}
}
