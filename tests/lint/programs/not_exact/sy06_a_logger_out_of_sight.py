def f(model, loader, logger):
    for x in loader:
        loss = model(x).mean()
        loss.backward()
        logger.debug(f"{loss.item()}")
