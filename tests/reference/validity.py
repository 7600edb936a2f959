def validate(vk): pass
