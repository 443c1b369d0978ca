"""What a candidate costs and how well it recognises: ledger, beacons, executors."""
