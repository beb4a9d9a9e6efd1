// Writes firings.json: how robfig/cron v1.2.0, which KFP's schedule controller uses, reads cron
// expressions. To write it again, in this folder:
//
//	go mod init reference && go get github.com/robfig/cron@v1.2.0 && go run . > firings.json
package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/robfig/cron"
)

type row struct {
	Expression string   `json:"expression"`
	Zone       string   `json:"zone"`
	After      string   `json:"after"`
	Error      string   `json:"error,omitempty"`
	Firings    []string `json:"firings,omitempty"`
}

func main() {
	expressions := []string{
		"0 0 3 * * *", "0 30 2 * * *", "0 30 1 * * *", "0 */15 * * * *", "0 0 9 * * 1-5",
		"0 0 9 * * 0", "0 0 0 1 * *", "0 0 0 29 2 *", "0 0 12 13 * 5", "0 0 12 */2 * 1",
		"0 0 12 1,15 * *", "0 0 4 31 * *", "0 5 8-18/2 * * *", "0 10/20 * * * *", "30 59 23 31 12 *",
		"*/20 * * * * *", "0 0 6 1-7 * 1", "0 0 0 * 1,4,7,10 *", "0 0 12 * * */2", "0 0 12 1-31 * 3",
		"0 0 2,3 * * *", "15,45 0 1 * * *", "0 0 0 30 2 *", "0 0 0 31 2,4,6,9,11 *",
		"0 0 12 * * 7", "0 0 12 L * *", "0 0 12 15W * *", "0 0 12 * * 5#2", "0 0 12 * * 6-1",
		"0 60 * * * *", "0 0 24 * * *", "0 0 0 0 * *", "0 0 0 * 13 *", "0 */0 * * * *",
		"0 */90 * * * *", "0 0 3 *-5 * *", "0 ? * * * *", "0 , * * * *", "0 3 * * *",
		"0 0 12 * * mon-fri", "0 0 12 * jan,JUL *", "0 0 12 * * monday",
	}
	zones := map[string][]string{
		"UTC":              {"2026-02-27T23:59:59Z"},
		"Europe/Berlin":    {"2026-03-28T12:00:00Z", "2026-10-24T12:00:00Z"},
		"America/New_York": {"2026-03-07T12:00:00Z", "2026-10-31T12:00:00Z"},
		"Asia/Kolkata":     {"2026-12-31T12:00:00Z"},
	}
	rows := []row{}
	for _, expression := range expressions {
		for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"} {
			for _, after := range zones[zone] {
				rows = append(rows, read(expression, zone, after))
			}
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	_ = encoder.Encode(rows)
}

func read(expression, zone, after string) row {
	found := row{Expression: expression, Zone: zone, After: after}
	schedule, err := cron.Parse(expression)
	if err != nil {
		found.Error = err.Error()
		return found
	}
	location, _ := time.LoadLocation(zone)
	at, _ := time.Parse(time.RFC3339, after)
	for i := 0; i < 6; i++ {
		at = schedule.Next(at.In(location))
		if at.IsZero() {
			found.Error = "never"
			return found
		}
		found.Firings = append(found.Firings, at.Format(time.RFC3339))
	}
	return found
}
