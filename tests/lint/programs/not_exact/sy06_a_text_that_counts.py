import logging

logger = logging.getLogger()


def f(model, loader, meter):
    for x in loader:
        loss = model(x).mean()
        loss.backward()
        logger.debug(f"{meter.update(loss.item())}")
