module batch
